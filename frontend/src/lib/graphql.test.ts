import { describe, expect, it } from 'vitest'
import { graphql, Refused, Unreachable } from './graphql'

function answering(response: () => Response) {
  const sent: RequestInit[] = []
  const client = graphql('/graphql', () => ({ 'X-Windlass-Transaction': '1' }), (async (_: unknown, init: RequestInit) => {
    sent.push(init)
    return response()
  }) as typeof globalThis.fetch)
  return { client, sent }
}

const json = (body: unknown, status = 200) => () => Response.json(body, { status })

describe('request', () => {
  it('posts JSON with the session and gives the data', async () => {
    const { client, sent } = answering(json({ data: { transaction: { id: '1' } } }))
    expect(await client.request('query', { id: '1' })).toEqual({ transaction: { id: '1' } })
    expect(sent[0]).toMatchObject({
      method: 'POST',
      credentials: 'include',
      headers: { 'Content-Type': 'application/json', 'X-Windlass-Transaction': '1' },
      body: '{"query":"query","variables":{"id":"1"}}',
    })
  })

  it('keeps every objection of the server', async () => {
    const { client } = answering(
      json({
        data: null,
        errors: [
          { message: 'Fill in.', extensions: { code: 'INVALID', reason: 'field_required', field: 'last_name', requestId: 'r' } },
          { message: 'Odd.' },
        ],
      }),
    )
    const error = await client.request('query').catch((error: unknown) => error)
    expect(error).toBeInstanceOf(Refused)
    expect((error as Refused).problems).toEqual([
      { message: 'Fill in.', code: 'INVALID', reason: 'field_required', field: 'last_name', requestId: 'r' },
      { message: 'Odd.', code: 'INTERNAL', reason: '', field: '', requestId: '' },
    ])
  })

  it.each<[string, () => Response]>([
    ['a network that fails', () => { throw new TypeError('offline') }],
    ["a proxy's page", () => new Response('<html>', { status: 502 })],
    ['an answer that is none', json({}, 500)],
  ])('calls %s unreachable', async (_, response) => {
    await expect(answering(response).client.request('query')).rejects.toBeInstanceOf(Unreachable)
  })
})

describe('subscribe', () => {
  const stream = (text: string) => () => new Response(text, { headers: { 'Content-Type': 'text/event-stream' } })

  async function read(response: () => Response) {
    const values: unknown[] = []
    for await (const value of answering(response).client.subscribe('subscription', {}, new AbortController().signal)) values.push(value)
    return values
  }

  it('yields until the server is done', async () => {
    expect(await read(stream(':\n\nevent: next\ndata: {"data":1}\n\nevent: next\ndata: {"data":2}\n\nevent: complete\n\nevent: next\ndata: {"data":3}\n\n'))).toEqual([1, 2])
  })

  it('throws what the server objects to, in the stream or instead of it', async () => {
    const errors = '{"errors":[{"message":"","extensions":{"code":"UNAUTHENTICATED"}}]}'
    await expect(read(stream(`event: next\ndata: ${errors}\n\n`))).rejects.toMatchObject({ signedOut: true })
    await expect(read(json(JSON.parse(errors), 401))).rejects.toMatchObject({ signedOut: true })
  })

  it('calls a garbled stream unreachable', async () => {
    await expect(read(stream('event: next\ndata: {"da\n\n'))).rejects.toBeInstanceOf(Unreachable)
  })
})
