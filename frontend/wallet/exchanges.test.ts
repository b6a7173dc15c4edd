import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { Exchange as Made } from './exchanges.svelte'

let Exchange: typeof Made
let exchanges: typeof import('./exchanges.svelte')

beforeAll(async () => {
  vi.stubGlobal('location', new URL('http://localhost:8000/wallet'))
  exchanges = await import('./exchanges.svelte')
  Exchange = exchanges.Exchange
})

const token = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJHQUJDIn0.c2lnbmF0dXJl'

describe('what is shown of an exchange', () => {
  it('indents JSON and leaves other text alone', () => {
    expect(exchanges.readable('{"a":1}')).toBe('{\n  "a": 1\n}')
    expect(exchanges.readable('VERSION="2.7.0"\n')).toBe('VERSION="2.7.0"')
  })

  it.each([
    ['a token', JSON.stringify({ token })],
    ['a bearer', JSON.stringify({ bearer: 'opaque-and-long-enough-to-matter' })],
    ['an interactive address', JSON.stringify({ url: `http://localhost:8000/interactive/1?token=${token}&callback=postMessage` })],
    ['a more-info address', JSON.stringify({ transaction: { more_info_url: `http://localhost:8000/transaction/1?c=AAAABBBBCCCCDDDDEEEE&resume=${token}` } })],
  ])('cuts %s', (_, body) => {
    const shown = exchanges.readable(body)
    for (const secret of [token, 'opaque-and-long', 'AAAABBBBCCCC']) expect(shown).not.toContain(secret)
    expect(shown).toContain('…')
  })

  it('says how long a long value is', () => {
    expect(exchanges.readable(JSON.stringify({ transaction: 'A'.repeat(500) }))).toContain('(500 characters)')
  })

  it('counts repetitions instead of listing them', () => {
    const list: Made[] = []
    const poll = (received: string) => new Exchange({ method: 'GET', url: '/sep24/transaction?id=1', status: 200, received, milliseconds: 5 })
    for (const answer of ['a', 'a', 'a', 'b']) exchanges.add(list, poll(answer))
    expect(list.map((e) => e.times)).toEqual([3, 1])
  })
})
