import type { CustomerBoot } from '../lib/boot'
import { graphql, Refused, type Problem } from '../lib/graphql'
import { language, t } from '../lib/i18n.svelte'
import { follow } from '../lib/live'
import { tabStore, type Store } from '../lib/storage'
import type { Price, Transaction } from './model'
import * as queries from './queries'
import { arrive, ExchangeRefused, Session } from './session'
import { alone, screenOf, type Decision, type Screen } from './steps'
import { upload, type Send } from './upload'
import { Wallet } from './wallet'

/** What the customer's page is doing as a whole. */
type Phase = 'loading' | 'open' | 'ended' | 'unreachable'

/** One visit of the page: its session, the transaction as last heard of, and what the customer does to it. */
export class Visit {
  phase = $state<Phase>('loading')
  /** Why the session ended, as a sentence; may be empty. */
  reason = $state('')
  tx = $state.raw<Transaction | null>(null)
  reachable = $state(true)
  /** What the server objected to in the last action. */
  problems = $state.raw<Problem[]>([])
  busy = $state(false)
  /** How many documents are on their way. */
  sending = $state(0)
  /** The decision the customer went back to. */
  wanted = $state<string | null>((history.state as { screen?: string } | null)?.screen ?? null)

  readonly boot: CustomerBoot
  readonly wallet: Wallet
  /** What this tab keeps over a reload. Never anything about the person. */
  readonly store: Store
  readonly #session: Session
  readonly #server
  #unfollow: (() => void) | null = null

  constructor(boot: CustomerBoot) {
    this.boot = boot
    const store = (this.store = tabStore())
    const { arrival, clean } = arrive(boot.page, boot.id, new URL(location.href))
    history.replaceState(history.state, '', clean)
    this.#session = new Session(boot.id, store, arrival.capability)
    this.#session.keep(arrival)
    this.#server = graphql('/graphql', () => this.#session.headers())
    this.wallet = new Wallet(store, window)
    window.addEventListener('popstate', (event) => {
      this.problems = []
      this.wanted = (event.state as { screen?: string } | null)?.screen ?? null
    })
    window.addEventListener('offline', () => (this.reachable = false))
    window.addEventListener('online', () => (this.reachable = true))
  }

  get viewer(): boolean {
    return this.#session.role === 'viewer'
  }

  /** Opens the session and reads the transaction. Call it again to try again. */
  async open(): Promise<void> {
    this.phase = 'loading'
    try {
      const first = { query: queries.transaction, variables: { id: this.boot.id } }
      const given = await this.#session.exchange<{ transaction: Transaction }>(first).catch((error: unknown) => {
        // A used token may be this tab's own; the cookie decides.
        if (!(error instanceof ExchangeRefused)) throw error
        this.reason = error.message || t(`error.${error.code}`)
        return null
      })
      const { transaction } = given ?? (await this.#ask<{ transaction: Transaction }>(queries.transaction))
      await this.#receive(transaction)
      // So that the back button finds this screen again.
      history.replaceState({ ...(history.state as object | null), screen: screenOf(transaction, this.wanted) }, '')
      this.phase = 'open'
    } catch (error) {
      if (error instanceof Refused && error.signedOut) this.#end()
      else this.phase = 'unreachable'
    }
  }

  /** Asks the server. */
  #ask = <T>(query: string, variables: object = {}): Promise<T> =>
    this.#as(() => this.#server.request<T>(query, { id: this.boot.id, ...variables }))

  /** Asks with the next credential where one is refused. */
  async #as<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof Refused && error.signedOut && this.#session.fallBack())) throw error
      }
    }
  }

  /** The price of an amount that goes in, or of one that comes out. */
  price = async (amount: { amountIn?: string; amountOut?: string }) => this.#ask<{ price: Price }>(queries.price, amount)

  /**
   * Changes the transaction. Objections are left in problems, for the screen to
   * show where they belong; true when there were none.
   */
  async act(mutation: string, variables: object = {}): Promise<boolean> {
    if (this.busy) return false
    this.busy = true
    this.problems = []
    try {
      await this.#receive((await this.#ask<{ transaction: Transaction }>(mutation, variables)).transaction)
      this.reachable = true
      return true
    } catch (error) {
      await this.#object(error)
      return false
    } finally {
      this.busy = false
    }
  }

  /** Has the page speak another language, once its words are here: what the server writes speaks it from then on. */
  async speak(lang: string): Promise<void> {
    await language.sentences(lang).then(
      () => this.act(queries.setLanguage, { lang }),
      (error: unknown) => this.#object(error),
    )
  }

  /** Sends a document. Unlike act it throws what went wrong, for the question to show, and stays on its screen. */
  attach: Send = async (name, content, part, signal) => {
    this.sending++
    try {
      const send = () => upload<{ transaction: Transaction }>('/graphql', this.#session.headers(), queries.attach, { id: this.boot.id, name }, content, part, signal)
      const { transaction } = await this.#as(send)
      this.wanted ??= screenOf(this.tx!, null) // which the answer might end
      await this.#receive(transaction)
    } catch (error) {
      if (error instanceof Refused && error.signedOut) this.#end()
      throw error
    } finally {
      this.sending--
    }
  }

  async #object(error: unknown): Promise<void> {
    if (!(error instanceof Refused)) {
      this.problems = [{ message: t('page.error.unreachable'), code: 'UNAVAILABLE', reason: '', field: '', requestId: '' }]
      return
    }
    // Whoever only has the link left may look on, but acted as somebody who had more.
    if (error.signedOut || this.viewer) return this.#end()
    this.problems = error.problems
    // The transaction is not what the page took it for: show it as it is.
    if (error.problems.some((problem) => problem.code === 'CONFLICT')) {
      await this.#ask<{ transaction: Transaction }>(queries.transaction)
        .then(({ transaction }) => this.#receive(transaction))
        .catch(() => {})
    }
  }

  async #receive(tx: Transaction): Promise<void> {
    await language.use(tx.lang).catch(() => {}) // words that do not come stop nothing: those of before will do
    // A slow answer to a request may be overtaken by the stream; steps are only ever added.
    if (this.tx && tx.timeline.length < this.tx.timeline.length) return
    if (!this.viewer) {
      this.wallet.changed(tx)
      // The review has passed: now it is the wallet's turn.
      if (tx.kind === 'withdrawal' && this.tx?.status === 'pending_anchor' && tx.status === 'pending_user_transfer_start') this.wallet.finished(tx)
    }
    this.tx = tx
    this.#watch(tx)
  }

  /** Follows the transaction from the moment that others move it; before, only this page does. */
  #watch(tx: Transaction): void {
    if (this.#unfollow || (!this.viewer && alone(tx))) return
    this.#unfollow = follow<{ transaction: Transaction }>(
      {
        read: () => this.#server.request(queries.transaction, { id: tx.id }),
        stream: (signal) => this.#server.subscribe(queries.changes, { id: tx.id }, signal),
      },
      {
        value: ({ transaction }) => void this.#receive(transaction),
        refused: () => this.#session.fallBack() || (this.#end(), false),
        reachable: (yes) => (this.reachable = yes),
      },
    )
  }

  #end(): void {
    this.#unfollow?.()
    this.#unfollow = null
    this.phase = 'ended'
  }

  /** Opens the first decision still to be made, as a place the back button returns from. */
  advance(): void {
    this.#go(screenOf(this.tx!, null))
  }

  /** Goes to an earlier decision: by the browser's history where it leads there. */
  back(to: Decision): void {
    this.problems = []
    if ((history.state as { back?: boolean } | null)?.back) {
      history.back()
      return
    }
    history.replaceState({ ...(history.state as object | null), screen: to }, '')
    this.wanted = to
  }

  /** Opens an earlier decision to change it. */
  change(decision: Decision): void {
    this.#go(decision)
  }

  #go(screen: Screen): void {
    this.problems = []
    history.pushState({ ...(history.state as object | null), screen, back: true }, '')
    this.wanted = screen
  }

  /**
   * Hands the customer back to the wallet: as often as they wish where that is an
   * app, which may not have opened. It may close the window; else we try.
   */
  leave(): void {
    const tx = this.tx
    if (tx && tx.status !== 'incomplete' && !this.viewer) {
      if (this.wallet.open(tx)) return // a window that is gone opens nothing
      this.wallet.finished(tx)
    }
    window.close()
  }
}
