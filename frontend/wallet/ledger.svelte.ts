// What the ledger says about one account: balances and payments. It looks by
// itself: a payment that arrives shows without anyone asking.

import type { Horizon } from '@stellar/stellar-sdk'
import { type Asset, type Boot, type Client, symbol } from './client'
import { Exchange } from './exchanges.svelte'

export interface Balance {
  code: string
  issuer: string
  amount: string
}

/** One payment in or out. */
export interface Movement {
  id: string
  hash: string
  incoming: boolean
  amount: string
  code: string
  other: string
  at: string
}

export class Ledger {
  balances = $state.raw<Balance[]>([])
  /** Newest first. */
  movements = $state.raw<Movement[]>([])
  /** Whether the account is in the ledger; null while we don't know. */
  exists = $state<boolean | null>(null)
  /** Whether Horizon could be reached at the last look. */
  reachable = $state(true)

  readonly #boot: Boot
  readonly #client: Client
  readonly #address: string
  #stop = () => {}
  #arrivals = new Map<string, Exchange>()

  constructor(boot: Boot, client: Client, address: string) {
    this.#boot = boot
    this.#client = client
    this.#address = address
  }

  #balance(asset: Asset): Balance | undefined {
    return this.balances.find((b) => b.code === symbol(asset) && b.issuer === asset.issuer)
  }

  /** Whether the account can hold an asset; lumens every account can. */
  trusts(asset: Asset): boolean {
    return this.#balance(asset) !== undefined
  }

  /** What the account holds of an asset. */
  holds(asset: Asset): string {
    return this.#balance(asset)?.amount ?? '0'
  }

  /** Looks once, then follows the payments of the account. */
  async open() {
    await this.look()
    if (!this.exists) return
    const newest = this.movements[0]?.id ?? 'now'
    this.#stop()
    this.#stop = this.#client.stellar.server.payments().forAccount(this.#address).cursor(newest).stream({
      onmessage: (record) => {
        const payment = record as unknown as Horizon.ServerApi.PaymentOperationRecord
        this.#arrivals.set(payment.transaction_hash, new Exchange({
          method: 'GET',
          url: `${this.#boot.horizon}/accounts/${this.#address}/payments`,
          sent: 'Accept: text/event-stream',
          received: JSON.stringify(payment),
          status: 'event',
        }))
        void this.look()
      },
    })
  }

  close() {
    this.#stop()
  }

  /** Reads balances and payments now. */
  async look() {
    const account = `${this.#boot.horizon}/accounts/${this.#address}`
    try {
      const answer = await fetch(account, { cache: 'no-store' })
      this.reachable = true
      if (answer.status === 404) {
        this.exists = false
        this.balances = []
        return
      }
      if (!answer.ok) return
      const record = (await answer.json()) as Horizon.ServerApi.AccountRecord
      this.exists = true
      this.balances = record.balances.flatMap((b) => {
        if (b.asset_type === 'native') return [{ code: 'XLM', issuer: '', amount: b.balance }]
        return 'asset_code' in b ? [{ code: b.asset_code, issuer: b.asset_issuer, amount: b.balance }] : []
      }).sort((a, b) => Number(a.code === 'XLM') - Number(b.code === 'XLM'))

      const page = (await (await fetch(`${account}/payments?order=desc&limit=20`, { cache: 'no-store' })).json()) as {
        _embedded?: { records: Horizon.ServerApi.PaymentOperationRecord[] }
      }
      this.movements = (page._embedded?.records ?? []).flatMap((r) => movement(r, this.#address))
    } catch {
      this.reachable = false
    }
  }

  /** The event of the payments stream that told of a ledger transaction. */
  arrival(hash: string): Exchange | undefined {
    return this.#arrivals.get(hash)
  }
}

function movement(r: Horizon.ServerApi.PaymentOperationRecord, address: string): Movement[] {
  const common = { id: r.paging_token, hash: r.transaction_hash, at: r.created_at }
  const type = r.type as string
  if (type === 'payment') {
    const incoming = r.to === address
    return [{ ...common, incoming, amount: r.amount, code: r.asset_code ?? 'XLM', other: incoming ? r.from : r.to }]
  }
  if (type === 'create_account') {
    const created = r as unknown as { starting_balance: string; funder: string; account: string }
    const incoming = created.account === address
    return [{ ...common, incoming, amount: created.starting_balance, code: 'XLM', other: incoming ? created.funder : created.account }]
  }
  return []
}
