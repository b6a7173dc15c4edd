import { Refused } from './graphql'

/** Where a value that changes can be read: once, or as a stream that begins with the present one. */
export interface Source<T> {
  read(): Promise<T>
  stream(signal: AbortSignal): AsyncIterable<T>
}

export interface Watcher<T> {
  value(value: T): void
  /** The credential was refused; return true to go on with another. */
  refused(error: Refused): boolean
  /** Whether the server can be reached at present. */
  reachable(yes: boolean): void
}

/** The page around it, which tests stand in for. */
export interface Surroundings {
  hidden(): boolean
  /** Calls back when the page is shown or hidden, or the network comes back. */
  onChange(callback: () => void): () => void
  sleep(milliseconds: number): Promise<void>
}

export const browser: Surroundings = {
  hidden: () => document.visibilityState === 'hidden',
  onChange(callback) {
    document.addEventListener('visibilitychange', callback)
    window.addEventListener('online', callback)
    return () => {
      document.removeEventListener('visibilitychange', callback)
      window.removeEventListener('online', callback)
    }
  },
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
}

const PAUSE = 3000

/**
 * Follows a source while the page is visible: one stream, and between a broken
 * stream and the next a plain read every three seconds, so that a customer
 * behind a proxy that breaks streams still sees every change.
 * Returns what stops it.
 */
export function follow<T>(source: Source<T>, watcher: Watcher<T>, around: Surroundings = browser): () => void {
  let stopped = false
  let connection: AbortController | null = null
  let wake = () => {}

  const unlisten = around.onChange(() => {
    if (around.hidden()) connection?.abort()
    wake()
  })
  const changed = () => new Promise<void>((resolve) => (wake = resolve))

  /** Runs one exchange; false when the watching is over. */
  async function attempt(exchange: () => Promise<void>): Promise<boolean> {
    try {
      await exchange()
      return !stopped
    } catch (error) {
      if (stopped) return false
      if (error instanceof Refused && error.signedOut) return watcher.refused(error)
      if (!around.hidden()) watcher.reachable(error instanceof Refused)
      return true
    }
  }

  function deliver(value: T): void {
    if (stopped) return
    watcher.reachable(true)
    watcher.value(value)
  }

  async function run(): Promise<void> {
    while (!stopped) {
      if (around.hidden()) {
        await changed()
        continue
      }
      connection = new AbortController()
      const { signal } = connection
      const streamed = await attempt(async () => {
        for await (const value of source.stream(signal)) deliver(value)
      })
      if (!streamed) return
      if (around.hidden()) continue
      if (!(await attempt(async () => deliver(await source.read())))) return
      await Promise.race([around.sleep(PAUSE), changed()])
    }
  }
  void run()

  return () => {
    stopped = true
    unlisten()
    connection?.abort()
    wake()
  }
}
