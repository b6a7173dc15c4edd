// The simulated bank's API (/bank/api), and what the page keeps of it.

import type { Brand, Network } from '../src/lib/boot'
import { type Exchange, recorded } from '../wallet/exchanges.svelte'

export interface Boot {
  brand: Brand
  network: Network
}

export interface Line {
  id: string
  at: string
  direction: 'in' | 'out'
  amount: string
  currency: string
  counterparty: { name: string; account: string }
  reference: string
  state: 'settled' | 'pending' | 'ready'
  /** Money that came in: a transfer to a customer that came back. */
  returns: boolean
  /** Money that went out: it came back. */
  recalled: boolean
  /** Money that went out: it is collected at the desk. */
  cash: boolean
}

export interface Statement {
  account: { holder: string; number: string; bank: string }
  currency: string
  balance: string
  lines: Line[]
}

export interface Transfer {
  amount: string
  reference: string
  payer_name: string
  payer_account: string
}

/** What the bank did not like, and in which field. */
export interface Refusal {
  error: string
  field?: keyof Transfer | 'code'
}

const every = 1000

export class Bank {
  statement = $state.raw<Statement | null>(null)
  reachable = $state(true)
  /** The last reading of the statement and the last transfer, as sent and answered. */
  reading = $state.raw<Exchange | null>(null)
  sending = $state.raw<Exchange | null>(null)
  #timer: ReturnType<typeof setTimeout> | undefined
  #last = ''

  /** Reads the statement, and again every second while the page is seen. */
  open() {
    const look = async () => {
      clearTimeout(this.#timer)
      if (document.visibilityState === 'hidden') return
      await this.look()
      this.#timer = setTimeout(look, every)
    }
    document.addEventListener('visibilitychange', () => void look())
    void look()
  }

  async look() {
    try {
      let exchange: Exchange | undefined
      const { status, text } = await recorded((e) => (exchange = e), '/bank/api/statement', { cache: 'no-store' })
      this.reachable = status === 200
      if (status !== 200 || text === this.#last) return
      this.#last = text
      this.reading = exchange!
      this.statement = JSON.parse(text) as Statement
    } catch {
      this.reachable = false
    }
  }

  /** Plays the customer's bank, which takes a settled transfer back. Again is once. */
  async recall(id: string): Promise<string> {
    const answer = await this.#post('/bank/api/recalls', { id })
    return 'error' in answer ? answer.error : ''
  }

  /** Plays the customer at the cash desk, who shows a code. */
  collect(code: string): Promise<Line | Refusal> {
    return this.#post('/bank/api/pickups', { code })
  }

  /** Sends a transfer. The key makes a repetition of the same one harmless. */
  send(transfer: Transfer, key: string): Promise<Line | Refusal> {
    return this.#post('/bank/api/transfers', { ...transfer, currency: this.statement?.currency ?? 'USD' }, { 'Idempotency-Key': key })
  }

  async #post(path: string, body: object, headers: Record<string, string> = {}): Promise<Line | Refusal> {
    const { status, text } = await recorded((e) => (this.sending = e), path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    void this.look()
    const answer = JSON.parse(text) as Line | Refusal
    if (status !== 201 && !('error' in answer)) return { error: `The bank answered ${status}.` }
    return answer
  }
}
