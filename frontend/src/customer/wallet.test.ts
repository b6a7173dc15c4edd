import { describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../lib/storage'
import type { Transaction } from './model'
import { Wallet } from './wallet'

const transaction = (more: Partial<Transaction> = {}) =>
  ({
    id: '1',
    status: 'incomplete',
    callback: 'postMessage',
    onChangeCallback: 'postMessage',
    appUrl: null,
    postMessageOrigin: 'https://wallet.example',
    sep24: { id: '1', kyc_verified: false },
    ...more,
  }) as Transaction

function standIn() {
  const opener = { postMessage: vi.fn() }
  return { opener, here: { opener } as unknown as Window }
}

describe('Wallet', () => {
  it('tells once that the flow is complete, to the verified origin', () => {
    const { opener, here } = standIn()
    const store = memoryStore()
    new Wallet(store, here).finished(transaction())
    new Wallet(store, here).finished(transaction()) // after a reload
    expect(opener.postMessage.mock.calls).toEqual([[{ transaction: { id: '1', kyc_verified: false } }, 'https://wallet.example']])
  })

  it('tells each change of status or of kyc_verified', () => {
    const { opener, here } = standIn()
    const wallet = new Wallet(memoryStore(), here)
    wallet.changed(transaction())
    wallet.changed(transaction())
    expect(opener.postMessage).not.toHaveBeenCalled()
    wallet.changed(transaction({ status: 'pending_anchor' }))
    wallet.changed(transaction({ status: 'pending_anchor', sep24: { kyc_verified: true } }))
    expect(opener.postMessage).toHaveBeenCalledTimes(2)
  })

  it('is silent unless asked by postMessage', () => {
    const { opener, here } = standIn()
    const wallet = new Wallet(memoryStore(), here)
    for (const callback of [null, 'https://wallet.example/callback']) {
      wallet.finished(transaction({ callback }))
      wallet.changed(transaction({ onChangeCallback: callback }))
      wallet.changed(transaction({ onChangeCallback: callback, status: 'error' }))
    }
    expect(opener.postMessage).not.toHaveBeenCalled()
  })

  it('speaks to the frame around it when nobody opened it, and to nobody when alone', () => {
    const parent = { postMessage: vi.fn() }
    new Wallet(memoryStore(), { opener: null, parent } as unknown as Window).finished(transaction())
    expect(parent.postMessage).toHaveBeenCalledOnce()

    const alone = { opener: null, postMessage: vi.fn() } as unknown as Window & { parent: Window }
    alone.parent = alone
    new Wallet(memoryStore(), alone).finished(transaction())
    expect(alone.postMessage).not.toHaveBeenCalled()
  })

  it('opens an app once by itself, and again whenever the customer asks', () => {
    const assign = vi.fn()
    const { opener } = standIn()
    const here = { opener, location: { assign } } as unknown as Window
    const store = memoryStore()
    const tx = transaction({ callback: 'mywallet://done', appUrl: 'mywallet://done?transaction_id=1&status=pending_anchor' })
    new Wallet(store, here).finished(tx)
    const reloaded = new Wallet(store, here)
    reloaded.finished(tx)
    expect(assign.mock.calls).toEqual([[tx.appUrl]])
    expect(reloaded.open(tx)).toBe(true)
    expect(assign).toHaveBeenCalledTimes(2)
    expect(opener.postMessage).not.toHaveBeenCalled()
  })

  it('opens nothing that the server does not name, whatever the callback says', () => {
    const assign = vi.fn()
    const here = { opener: null, location: { assign } } as unknown as Window & { parent: Window }
    here.parent = here
    const wallet = new Wallet(memoryStore(), here)
    for (const callback of ['mywallet://done', 'https://wallet.example/callback', 'javascript:alert(1)', 'postMessage', null]) {
      wallet.finished(transaction({ callback }))
      expect(wallet.open(transaction({ callback }))).toBe(false)
    }
    expect(assign).not.toHaveBeenCalled()
  })
})
