import type { Store } from '../lib/storage'
import type { Transaction } from './model'

/** The window that opened or framed this page, if any (SEP-24 "postMessage details"). */
function walletWindow(here: Window): Window | null {
  if (here.opener) return here.opener as Window
  return here.parent !== here ? here.parent : null
}

/** Tells the wallet's page about the transaction, as SEP-24's callback and on_change_callback ask. */
export class Wallet {
  constructor(
    private readonly store: Store,
    private readonly here: Window,
  ) {}

  /** The interactive flow is complete: the wallet is told once (SEP-24 "Differences between callback…"). */
  finished(tx: Transaction): void {
    const key = `windlass.finished.${tx.id}`
    if (this.store.get(key)) return
    if (tx.callback === 'postMessage' ? this.#post(tx) : this.open(tx)) this.store.set(key, '1')
  }

  /**
   * Opens the wallet's app, if that is how it wants its customer back. No browser
   * tells whether one did open: this page stays as it is.
   */
  open(tx: Transaction): boolean {
    if (tx.appUrl === null) return false
    this.here.location.assign(tx.appUrl)
    return true
  }

  /** Call it with every state seen; the wallet hears of those that differ from the one before. */
  changed(tx: Transaction): void {
    const key = `windlass.seen.${tx.id}`
    const verified = (tx.sep24 as { kyc_verified?: boolean } | null)?.kyc_verified ?? false
    const state = `${tx.status} ${verified}`
    const before = this.store.get(key)
    this.store.set(key, state)
    if (tx.onChangeCallback === 'postMessage' && before !== null && before !== state) this.#post(tx)
  }

  #post(tx: Transaction): boolean {
    const wallet = walletWindow(this.here)
    if (!wallet) return false
    try {
      wallet.postMessage({ transaction: tx.sep24 }, tx.postMessageOrigin)
      return true
    } catch {
      return false // the wallet's window is gone
    }
  }
}
