import { serverEvents } from './sse'

/** One entry of a GraphQL answer's errors, as the server's presenter writes them. */
export interface Problem {
  /** A sentence in the customer's language. */
  message: string
  code: string
  reason: string
  /** The input at fault; empty when the whole request is. */
  field: string
  requestId: string
}

/** A request that was answered with errors. */
export class Refused extends Error {
  constructor(readonly problems: Problem[]) {
    super(problems.map((problem) => problem.message).join('; '))
  }

  /** Whether the session is over, or was never there. */
  get signedOut(): boolean {
    return this.problems.some((problem) => problem.code === 'UNAUTHENTICATED')
  }
}

/** A request that got no sensible answer: offline, a proxy's page, a server restarting. */
export class Unreachable extends Error {}

interface Answer {
  data?: unknown
  errors?: { message: string; extensions?: Partial<Problem> }[]
}

export function unwrap<T>(answer: Answer): T {
  if (answer.errors?.length) {
    throw new Refused(
      answer.errors.map(({ message, extensions = {} }) => ({
        message,
        code: extensions.code ?? 'INTERNAL',
        reason: extensions.reason ?? '',
        field: extensions.field ?? '',
        requestId: extensions.requestId ?? '',
      })),
    )
  }
  return answer.data as T
}

/** A stream without any bytes, pings included, for so long is dead. */
const SILENCE = 60_000
/** A stream that opens without its first event for so long is held back by a proxy. */
const FIRST = 6_000
const ANSWER = 20_000

export type Headers = Record<string, string>
type Fetch = typeof globalThis.fetch

/**
 * A GraphQL client in two functions: POST with JSON, and subscriptions as
 * server-sent events over fetch, since EventSource can send neither a body nor
 * the headers that name the session.
 */
export function graphql(url: string, headers: () => Headers, fetch: Fetch = (...args) => globalThis.fetch(...args)) {
  async function post(query: string, variables: object, accept: string, signal: AbortSignal): Promise<Response> {
    try {
      return await fetch(url, {
        method: 'POST',
        credentials: 'include',
        headers: { 'Content-Type': 'application/json', Accept: accept, ...headers() },
        body: JSON.stringify({ query, variables }),
        signal,
      })
    } catch (cause) {
      throw new Unreachable('no answer', { cause })
    }
  }

  async function parse<T>(response: Response): Promise<T> {
    let answer: Answer
    try {
      answer = (await response.json()) as Answer
    } catch (cause) {
      throw new Unreachable(`HTTP ${response.status}`, { cause })
    }
    if (!answer.data && !answer.errors) throw new Unreachable(`HTTP ${response.status}`)
    return unwrap<T>(answer)
  }

  return {
    async request<T>(query: string, variables: object = {}): Promise<T> {
      return parse<T>(await post(query, variables, 'application/json', AbortSignal.timeout(ANSWER)))
    },

    /** Yields until the server completes the stream, it breaks, or signal aborts. */
    async *subscribe<T>(query: string, variables: object, signal: AbortSignal): AsyncGenerator<T> {
      // Not AbortSignal.any: webviews two years old lack it.
      const connection = new AbortController()
      const close = () => connection.abort()
      signal.addEventListener('abort', close)
      let timer = setTimeout(close, FIRST)
      let started = false
      const alive = () => {
        if (!started) return
        clearTimeout(timer)
        timer = setTimeout(close, SILENCE)
      }
      try {
        const response = await post(query, variables, 'text/event-stream', connection.signal)
        if (!response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
          yield await parse<T>(response)
          return
        }
        for await (const { event, data } of serverEvents(response.body!, alive)) {
          if (event === 'complete') return
          if (event !== 'next') continue
          started = true
          alive()
          yield unwrap<T>(JSON.parse(data) as Answer)
        }
      } catch (cause) {
        if (cause instanceof Refused || cause instanceof Unreachable) throw cause
        throw new Unreachable('the stream broke', { cause })
      } finally {
        clearTimeout(timer)
        signal.removeEventListener('abort', close)
      }
    },
  }
}

export type GraphQL = ReturnType<typeof graphql>
