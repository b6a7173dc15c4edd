import { afterEach, expect, it, vi } from 'vitest'
import { Unreachable } from '../lib/graphql'
import { upload } from './upload'

afterEach(() => vi.unstubAllGlobals())

it('sends nothing that was given up before it began', async () => {
  const opened: string[] = []
  vi.stubGlobal(
    'XMLHttpRequest',
    class {
      upload = {}
      open = (...args: string[]) => void opened.push(args.join(' '))
      setRequestHeader(): void {}
      send(): void {}
      abort(): void {}
    },
  )
  const given = new AbortController()
  const send = () => upload('/graphql', {}, 'mutation', {}, new Blob(['x']), () => {}, given.signal)
  void send()
  expect(opened).toEqual(['POST /graphql'])
  given.abort()
  await expect(send()).rejects.toBeInstanceOf(Unreachable)
  expect(opened).toHaveLength(1)
})
