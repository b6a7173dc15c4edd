import { describe, expect, it, vi } from 'vitest'
import { Refused, Unreachable } from './graphql'
import { follow, type Source } from './live'

const signedOut = () => new Refused([{ message: '', code: 'UNAUTHENTICATED', reason: '', field: '', requestId: '' }])

/** A page that is shown and hidden by hand, and whose pauses last but a turn. */
function page() {
  let hidden = false
  let changed = () => {}
  let pauses = 0
  return {
    around: {
      hidden: () => hidden,
      onChange: (callback: () => void) => ((changed = callback), () => (changed = () => {})),
      sleep: () => (pauses++, new Promise<void>((resolve) => setTimeout(resolve))),
    },
    show(yes: boolean) {
      hidden = !yes
      changed()
    },
    pauses: () => pauses,
  }
}

/** A stream that gives its values, then stays open until it is closed. */
async function* open(signal: AbortSignal, ...values: number[]) {
  yield* values
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
}

function watch(source: Source<number>, around: ReturnType<typeof page>['around'], refused = () => false) {
  const values: number[] = []
  const reached: boolean[] = []
  const stop = follow(source, { value: (v) => void values.push(v), refused, reachable: (yes) => void reached.push(yes) }, around)
  return { values, reached, stop }
}

describe('follow', () => {
  it('delivers what a stream brings', async () => {
    const { values, stop } = watch({ read: async () => 0, stream: (signal) => open(signal, 1, 2) }, page().around)
    await vi.waitFor(() => expect(values).toEqual([1, 2]))
    stop()
  })

  it('closes the stream while hidden and opens one when shown', async () => {
    const { around, show } = page()
    let open_ = 0
    let opened = 0
    const source = {
      read: async () => 0,
      async *stream(signal: AbortSignal) {
        open_++
        try {
          yield* open(signal, ++opened)
        } finally {
          open_--
        }
      },
    }
    const { values, stop } = watch(source, around)
    await vi.waitFor(() => expect(values).toEqual([1]))
    show(false)
    await vi.waitFor(() => expect(open_).toBe(0))
    show(true)
    await vi.waitFor(() => expect(values).toEqual([1, 2]))
    expect(open_).toBe(1)
    stop()
    await vi.waitFor(() => expect(open_).toBe(0))
  })

  it('reads between streams that break, and says whether anyone answers', async () => {
    const { around, pauses } = page()
    let reads = 0
    const source: Source<number> = {
      async read() {
        if (++reads === 1) throw new Unreachable('offline')
        return reads
      },
      async *stream() {
        throw new Unreachable('broken')
      },
    }
    const { values, reached, stop } = watch(source, around)
    await vi.waitFor(() => expect(values.length).toBeGreaterThan(1))
    stop()
    expect(values.slice(0, 2)).toEqual([2, 3])
    expect(reached[0]).toBe(false)
    expect(reached).toContain(true)
    expect(pauses()).toBeGreaterThan(0)
  })

  it('ends when the credential is refused and there is no other', async () => {
    let streams = 0
    const source: Source<number> = {
      read: async () => 0,
      async *stream(signal) {
        if (++streams < 3) throw signedOut()
        yield* open(signal, streams)
      },
    }
    const ended = watch(source, page().around)
    await vi.waitFor(() => expect(streams).toBe(1))
    await Promise.resolve()
    expect(streams).toBe(1)
    expect(ended.values).toEqual([])

    const { values, stop } = watch(source, page().around, () => true)
    await vi.waitFor(() => expect(values).toContain(3))
    stop()
  })
})
