import { describe, expect, it } from 'vitest'
import { memoryStore } from '../lib/storage'
import { arrive, ExchangeRefused, Session } from './session'

const at = (address: string) => new URL(address, 'https://anchor.example')

function answering(...answers: { status: number; body: unknown }[]) {
  const sent: { url: string; body: Record<string, unknown> }[] = []
  const fetch = (async (url: string, init: RequestInit) => {
    sent.push({ url, body: JSON.parse(init.body as string) as Record<string, unknown> })
    const next = answers.shift()
    if (!next) throw new TypeError('offline')
    return new Response(JSON.stringify(next.body), { status: next.status })
  }) as typeof globalThis.fetch
  return { sent, fetch }
}

describe('arrive', () => {
  it('keeps nothing secret in the address', () => {
    const { arrival, clean } = arrive('interactive', '1', at('/interactive/1?token=T&lang=es&callback=postMessage&on_change_callback=https://w.example/c'))
    expect(clean).toBe('/interactive/1')
    expect(arrival).toEqual({
      id: '1',
      token: 'T',
      callback: 'postMessage',
      onChangeCallback: 'https://w.example/c',
      lang: 'es',
      capability: null,
    })
  })

  it('leaves the language of who comes without a token', () => {
    expect(arrive('transaction', '1', at('/transaction/1?c=CAP&lang=es')).clean).toBe('/transaction/1?c=CAP&lang=es')
  })

  it('leaves the capability of a more-info page', () => {
    const { arrival, clean } = arrive('transaction', '1', at('/transaction/1?c=CAP&resume=R'))
    expect(clean).toBe('/transaction/1?c=CAP')
    expect(arrival).toMatchObject({ token: 'R', capability: 'CAP' })
  })
})

describe('Session', () => {
  const { arrival } = arrive('interactive', '1', at('/interactive/1?token=T&callback=postMessage'))

  it('exchanges the token once and uses the cookie before the bearer', async () => {
    const { sent, fetch } = answering({ status: 200, body: { bearer: 'B' } })
    const session = new Session('1', memoryStore(), null, fetch)
    session.keep(arrival)
    await session.exchange()
    await session.exchange()
    expect(sent).toHaveLength(1)
    expect(sent[0]!.url).toBe('/interactive/1/session')
    expect(sent[0]!.body).toMatchObject({ token: 'T', callback: 'postMessage', on_change_callback: null, lang: null })
    expect(String(sent[0]!.body.nonce).length).toBeGreaterThanOrEqual(16)

    expect(session.headers()).toEqual({ 'X-Windlass-Transaction': '1' })
    expect(session.fallBack()).toBe(true)
    expect(session.headers().Authorization).toBe('Bearer B')
    expect(session.fallBack()).toBe(false)
  })

  it('asks for the first screen along with the exchange', async () => {
    const first = { query: '{ transaction }', variables: { id: '1' } }
    for (const [answer, data] of [
      [{ bearer: 'B', first: { data: { transaction: 'T' } } }, { transaction: 'T' }],
      [{ bearer: 'B', first: { data: null, errors: [{ message: 'no' }] } }, null],
      [{ bearer: 'B' }, null],
    ]) {
      const { sent, fetch } = answering({ status: 200, body: answer })
      const session = new Session('1', memoryStore(), null, fetch)
      session.keep(arrival)
      expect(await session.exchange(first)).toEqual(data)
      expect(sent[0]!.body).toMatchObject({ token: 'T', first })
      expect(session.known).toBe(true)
    }
  })

  it('repeats a lost exchange with the same nonce, after a reload too', async () => {
    const store = memoryStore()
    const lost = answering()
    const before = new Session('1', store, null, lost.fetch)
    before.keep(arrival)
    await expect(before.exchange()).rejects.toThrow('offline')

    const again = answering({ status: 200, body: { bearer: 'B' } })
    await new Session('1', store, null, again.fetch).exchange()
    expect(again.sent[0]!.body).toEqual(lost.sent[0]!.body)
  })

  it('says why a token was refused, and forgets it', async () => {
    const { sent, fetch } = answering({ status: 401, body: { error: 'Used.', code: 'token_used' } })
    const session = new Session('1', memoryStore(), null, fetch)
    session.keep(arrival)
    await expect(session.exchange()).rejects.toEqual(new ExchangeRefused('Used.', 'token_used'))
    await session.exchange()
    expect(sent).toHaveLength(1)
  })

  it('views by capability, acts after a resume, and views again when that ends', async () => {
    const { arrival } = arrive('transaction', '1', at('/transaction/1?c=CAP&resume=R'))
    const session = new Session('1', memoryStore(), 'CAP', answering({ status: 200, body: { bearer: 'B' } }).fetch)
    expect(session.role).toBe('viewer')
    expect(session.headers().Authorization).toBe('Capability CAP')
    session.keep(arrival)
    await session.exchange()
    expect(session.role).toBe('customer')
    expect(session.fallBack()).toBe(true) // the bearer
    expect(session.fallBack()).toBe(true) // the capability
    expect(session.role).toBe('viewer')
    expect(session.fallBack()).toBe(false)
  })

  it('keeps transactions apart', async () => {
    const store = memoryStore()
    const session = new Session('1', store, null, answering({ status: 200, body: { bearer: 'B' } }).fetch)
    session.keep(arrival)
    await session.exchange()
    expect(new Session('1', store, null).known).toBe(true)
    expect(new Session('2', store, null).known).toBe(false)
  })
})
