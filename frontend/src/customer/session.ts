import type { Store } from '../lib/storage'

/** Parameters that came in the page's address. */
export interface Arrival {
  id: string
  /** The wallet's one-time token, or a resume token of the more-info page. */
  token: string | null
  callback: string | null
  onChangeCallback: string | null
  lang: string | null
  /** What opens the more-info page for reading. */
  capability: string | null
}

/** Takes what must not stay in the address out of it; returns it and the address that may stay. */
export function arrive(page: 'interactive' | 'transaction', id: string, address: URL): { arrival: Arrival; clean: string } {
  const query = address.searchParams
  const arrival: Arrival = {
    id,
    token: query.get(page === 'interactive' ? 'token' : 'resume'),
    callback: query.get('callback'),
    onChangeCallback: query.get('on_change_callback'),
    lang: query.get('lang'),
    capability: query.get('c'),
  }
  const taken = ['token', 'resume', 'callback', 'on_change_callback']
  // The language that the wallet wanted holds for the start: a reload speaks the one that was chosen since.
  if (arrival.token !== null) taken.push('lang')
  for (const name of taken) query.delete(name)
  return { arrival, clean: address.pathname + address.search }
}

/** The exchange was refused; code is token_expired, token_used or token_invalid. */
export class ExchangeRefused extends Error {
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message)
  }
}

export type Role = 'customer' | 'viewer'

/**
 * The tab's credentials for one transaction. The cookie is tried first; where
 * the browser keeps none (third-party frames), the bearer of the exchange.
 */
export class Session {
  #bearerNeeded = false

  constructor(
    private readonly id: string,
    private readonly store: Store,
    private readonly capability: string | null,
    private readonly fetch: typeof globalThis.fetch = (...args) => globalThis.fetch(...args),
  ) {}

  #key(name: string): string {
    return `windlass.${name}.${this.id}`
  }

  /** Whether this tab has exchanged a token before, so that a reload is the customer's. */
  get known(): boolean {
    return this.store.get(this.#key('bearer')) !== null
  }

  get role(): Role {
    return this.capability !== null && !this.known ? 'viewer' : 'customer'
  }

  headers(): Record<string, string> {
    const headers: Record<string, string> = { 'X-Windlass-Transaction': this.id }
    const bearer = this.store.get(this.#key('bearer'))
    if (this.role === 'viewer') headers.Authorization = `Capability ${this.capability}`
    else if (this.#bearerNeeded && bearer !== null) headers.Authorization = `Bearer ${bearer}`
    return headers
  }

  /** Falls back to the next credential after a refusal; false when there is none left. */
  fallBack(): boolean {
    if (this.role === 'viewer') return false
    if (!this.#bearerNeeded && this.known) {
      this.#bearerNeeded = true
      return true
    }
    this.store.remove(this.#key('bearer'))
    return this.capability !== null
  }

  /**
   * Remembers a token until it is exchanged: it leaves the address at once, and
   * a reload in between, or a lost answer, must not lose the session.
   */
  keep(arrival: Arrival): void {
    if (arrival.token === null) return
    const nonce = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
    const { token, callback, onChangeCallback, lang } = arrival
    this.store.set(this.#key('exchange'), JSON.stringify({ token, nonce, callback, on_change_callback: onChangeCallback, lang }))
  }

  /**
   * Exchanges the kept token, if there is one. A network failure is thrown as it
   * is and may be tried again. Gives the data of first, a GraphQL request, if the
   * server answered that along with it.
   */
  async exchange<T>(first?: { query: string; variables: object }): Promise<T | null> {
    const kept = this.store.get(this.#key('exchange'))
    if (kept === null) return null
    const body = JSON.stringify({ ...(JSON.parse(kept) as object), first })
    const response = await this.fetch(`/interactive/${encodeURIComponent(this.id)}/session`, {
      method: 'POST',
      credentials: 'include',
      headers: { 'Content-Type': 'application/json' },
      body,
    })
    if (!response.ok && response.status !== 401) throw new Error(`HTTP ${response.status}`)
    const answer = (await response.json()) as { bearer?: string; error?: string; code?: string; first?: { data?: T | null } }
    this.store.remove(this.#key('exchange'))
    if (!response.ok) throw new ExchangeRefused(answer.error ?? '', answer.code ?? 'token_invalid')
    this.store.set(this.#key('bearer'), answer.bearer ?? '')
    this.#bearerNeeded = false
    return answer.first?.data ?? null
  }
}
