// What travels between this page and the servers, kept for people who learn
// the protocol by using it. Nothing in here changes a request or an answer.

/** One request and what came back. */
export class Exchange {
  readonly method: string
  readonly url: URL
  readonly sent: string
  readonly received: string
  /** The HTTP status, 0 when no answer came, or "event" for what came unasked. */
  readonly status: number | 'event'
  readonly milliseconds: number
  /** How often exactly the same was asked and answered in a row. */
  times = $state(1)

  constructor(e: { method: string; url: string; sent?: string; received?: string; status: number | 'event'; milliseconds?: number }) {
    this.method = e.method
    this.url = new URL(e.url, location.href)
    this.sent = e.sent ?? ''
    this.received = readable(e.received ?? '')
    this.status = e.status
    this.milliseconds = Math.round(e.milliseconds ?? 0)
  }

  /** Whether another one says nothing new. */
  same(other: Exchange): boolean {
    return this.method === other.method && this.url.href === other.url.href && this.status === other.status
      && this.sent === other.sent && this.received === other.received
  }
}

/** Takes an exchange into a list; repetitions only count up. */
export function add(list: Exchange[], e: Exchange) {
  const last = list.at(-1)
  if (last?.same(e)) last.times++
  else list.push(e)
}

/**
 * Calls tell with every exchange that goes through XMLHttpRequest from now on.
 * That is the only way out that the wallet SDK takes in a browser, so it can
 * stay exactly as it was published.
 */
export function listen(tell: (e: Exchange) => void) {
  globalThis.XMLHttpRequest = class extends XMLHttpRequest {
    #method = ''
    #url = ''
    #headers: string[] = []
    #body = ''
    #begun = 0

    constructor() {
      super()
      // Before anyone else's listener, so that an exchange is told of before
      // what it answers goes on.
      this.addEventListener('loadend', () => tell(new Exchange({
        method: this.#method,
        url: this.#url,
        sent: request(this.#headers, this.#body),
        received: this.responseType === '' || this.responseType === 'text' ? this.responseText : '',
        status: this.status,
        milliseconds: performance.now() - this.#begun,
      })))
    }

    override open(method: string, url: string | URL, ...rest: unknown[]) {
      this.#method = method.toUpperCase()
      this.#url = String(url)
      // The two overloads differ in whether the rest is there at all.
      ;(super.open as (...args: unknown[]) => void).call(this, method, url, ...rest)
    }

    override setRequestHeader(name: string, value: string) {
      this.#headers.push(`${name}: ${/^authorization$/i.test(name) ? shortToken(value) : value}`)
      super.setRequestHeader(name, value)
    }

    override send(body?: Document | XMLHttpRequestBodyInit | null) {
      this.#begun = performance.now()
      if (typeof body === 'string') this.#body = body
      super.send(body)
    }
  }
}

/** fetch, and what it exchanged. */
export async function recorded(tell: (e: Exchange) => void, url: string, init: RequestInit = {}): Promise<{ status: number; text: string }> {
  const begun = performance.now()
  const made = { method: init.method ?? 'GET', url, sent: request(headers(init), typeof init.body === 'string' ? init.body : '') }
  try {
    const answer = await fetch(url, init)
    const text = await answer.text()
    tell(new Exchange({ ...made, received: text, status: answer.status, milliseconds: performance.now() - begun }))
    return { status: answer.status, text }
  } catch (problem) {
    tell(new Exchange({ ...made, received: String(problem), status: 0, milliseconds: performance.now() - begun }))
    throw problem
  }
}

function headers(init: RequestInit): string[] {
  return [...new Headers(init.headers)].map(([name, value]) => `${name}: ${value}`)
}

function request(headers: string[], body: string): string {
  return [...headers, ...(body ? ['', readable(body)] : [])].join('\n')
}

/** A body as it is shown: JSON indented, secrets and long strings cut. */
export function readable(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), (key, value) => (typeof value === 'string' ? short(key, value) : value), 2)
  } catch {
    return body.trim()
  }
}

const most = 120

function short(key: string, value: string): string {
  if (key === 'token' || key === 'bearer') return shortToken(value)
  const cut = shortQuery(value)
  return cut.length > most ? `${cut.slice(0, most)}… (${cut.length} characters)` : cut
}

/** "Bearer eyJhbGciOi…": enough to recognise a token, too little to use it. */
function shortToken(value: string): string {
  return value.replace(/[\w-]{16,}[\w.-]*/g, (token) => `${token.slice(0, 10)}…`)
}

/** An address with the secrets in its query cut. */
export function shortQuery(url: string): string {
  return url.replace(/([?&](?:token|resume|c)=)([^&#]{16,})/g, (_, name: string, value: string) => `${name}${value.slice(0, 10)}…`)
}
