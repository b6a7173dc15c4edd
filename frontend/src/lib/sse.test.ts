import { describe, expect, it } from 'vitest'
import { serverEvents } from './sse'

async function read(...chunks: string[]) {
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(encoder.encode(chunk))
      controller.close()
    },
  })
  const events = []
  for await (const event of serverEvents(body)) events.push(event)
  return events
}

describe('serverEvents', () => {
  it('reads events and leaves pings out', async () => {
    expect(await read(': ping\n\nevent: next\ndata: {"a":1}\n\n:\n\nevent: complete\n\n')).toEqual([
      { event: 'next', data: '{"a":1}' },
      { event: 'complete', data: '' },
    ])
  })

  it('does not care where chunks end', async () => {
    const whole = 'event: next\r\ndata: {"é":"ñ"}\r\n\r\n'
    const want = [{ event: 'next', data: '{"é":"ñ"}' }]
    for (let i = 1; i < whole.length; i++) expect(await read(whole.slice(0, i), whole.slice(i))).toEqual(want)
    expect(await read(...whole)).toEqual(want)
  })

  it('joins lines of data and knows events without a name', async () => {
    expect(await read('data: a\ndata:b\nid: 7\n\n')).toEqual([{ event: 'message', data: 'a\nb' }])
  })

  it('drops an event that was cut off', async () => {
    expect(await read('event: next\ndata: {"a"')).toEqual([])
  })

  it('closes the connection of a reader who leaves', async () => {
    let cancelled = false
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('data: 1\n\n')),
      cancel: () => void (cancelled = true),
    })
    for await (const event of serverEvents(body)) {
      expect(event.data).toBe('1')
      break
    }
    expect(cancelled).toBe(true)
  })
})
