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
})
