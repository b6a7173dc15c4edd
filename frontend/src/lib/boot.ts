/** What the server puts into a page's `<script id="boot">`. */
export function boot<T>(): T {
  return JSON.parse(document.getElementById('boot')?.textContent ?? '{}') as T
}

export interface Brand {
  name: string
  supportEmail?: string
  /** Addresses, the logo's on our own origin. */
  logo?: string
  terms?: string
  privacy?: string
}

export interface Network {
  name: string
  /** A network where money is play money: every page says so. */
  test: boolean
  /** Needed to write payment requests for it (SEP-7). */
  passphrase?: string
}

export interface CustomerBoot {
  page: 'interactive' | 'transaction'
  id: string
  brand: Brand
  network: Network
  lang: string
  languages: string[]
  /** Whether customers are written to. */
  mail: boolean
}
