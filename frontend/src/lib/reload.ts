/** The page around it, which tests stand in for. */
export interface Surroundings {
  /** Whether the server gives us this page. */
  answers(): Promise<boolean>
  /** A few seconds, or less if the network comes back. */
  pause(): Promise<void>
  reload(): void
}

export const browser: Surroundings = {
  answers: () => fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(10_000) }).then(({ ok }) => ok, () => false),
  pause: () =>
    new Promise((resolve) => {
      window.addEventListener('online', () => resolve(), { once: true })
      setTimeout(resolve, 3000)
    }),
  reload: () => location.reload(),
}

/**
 * Loads the page anew after a part of it could not be had, as soon as that will
 * do: not while offline, when a webview would show its own error for good.
 *
 * Asking for the part again would not do: some browsers remember that a script
 * failed, and after an upgrade the server has others. Nothing is lost; what was
 * entered is the server's.
 */
export async function startOver(_: unknown, around: Surroundings = browser): Promise<void> {
  do await around.pause()
  while (!(await around.answers()))
  around.reload()
}
