// A run is one thing the wallet does (create an account, a deposit, a
// withdrawal), told as steps with the exchanges that belong to each.

import type { Types } from '@stellar/typescript-wallet-sdk'
import { type Exchange, add } from './exchanges.svelte'

export type Transaction = Types.AnchorTransaction

export type Progress = 'running' | 'done' | 'failed'

export class Step {
  readonly title: string
  readonly about: string
  progress = $state<Progress>('running')
  /** What came of it, in a sentence. */
  result = $state('')
  /** The hash of a transaction on the ledger. */
  hash = $state('')
  milliseconds = $state(0)
  exchanges = $state<Exchange[]>([])
  readonly #begun = performance.now()

  constructor(title: string, about: string) {
    this.title = title
    this.about = about
  }

  record(e: Exchange) {
    add(this.exchanges, e)
  }

  finish(progress: Progress, result = '') {
    this.progress = progress
    if (result) this.result = result
    this.milliseconds = Math.round(performance.now() - this.#begun)
  }
}

/** One status that the anchor reported, the first time it did. */
export interface Sighting {
  status: string
  message: string
  at: Date
}

export class Run {
  readonly title: string
  readonly begun = new Date()
  steps = $state<Step[]>([])
  /** The transaction at the anchor, as last polled. */
  transaction = $state.raw<Transaction | null>(null)
  sightings = $state<Sighting[]>([])
  over = $state(false)
  /** What the person may do now, beside the step that waits. */
  offer = $state.raw<Offer | null>(null)

  constructor(title: string) {
    this.title = title
  }

  get failed(): boolean {
    return this.steps.some((s) => s.progress === 'failed')
  }

  begin(title: string, about: string): Step {
    this.steps.push(new Step(title, about))
    return this.steps.at(-1)!
  }

  #waiting: { holds: (tx: Transaction) => boolean; go: (tx: Transaction) => void }[] = []

  /** Takes in what a poll answered. */
  see(tx: Transaction) {
    this.transaction = tx
    if (this.sightings.at(-1)?.status !== tx.status) {
      this.sightings.push({ status: tx.status ?? '', message: tx.message ?? '', at: new Date() })
    }
    const ready = this.#waiting.filter((w) => w.holds(tx))
    this.#waiting = this.#waiting.filter((w) => !ready.includes(w))
    for (const w of ready) w.go(tx)
  }

  /** Waits until a poll answers so. */
  until(holds: (tx: Transaction) => boolean): Promise<Transaction> {
    if (this.transaction && holds(this.transaction)) return Promise.resolve(this.transaction)
    return new Promise((go) => this.#waiting.push({ holds, go }))
  }
}

/** A button beside a waiting step, or a link when it has an address. */
export interface Offer {
  label: string
  href?: string
  act?: () => void
}

/** A sentence for whatever was thrown. */
export function sentence(problem: unknown): string {
  const e = problem as { message?: unknown; response?: { data?: { title?: string; extras?: { result_codes?: unknown } } } }
  const codes = e?.response?.data?.extras?.result_codes
  if (codes) return `The network refused it: ${JSON.stringify(codes)}`
  return typeof e?.message === 'string' ? e.message : String(problem)
}
