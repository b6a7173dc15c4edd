/** What one tab keeps over a reload. */
export interface Store {
  get(key: string): string | null
  set(key: string, value: string): void
  remove(key: string): void
}

/** Keeps values for as long as the page is open. Each change is told to saved, with all there is. */
export function memoryStore(given: Record<string, string> = {}, saved: (all: Record<string, string>) => void = () => {}): Store {
  const values = new Map(Object.entries(given))
  const save = () => saved(Object.fromEntries(values))
  return {
    get: (key) => values.get(key) ?? null,
    set: (key, value) => (values.set(key, value), save()),
    remove: (key) => (values.delete(key), save()),
  }
}

/**
 * Keeps values in the page's entry of the tab's history, which only pages of our
 * own origin can read. Entries made later must carry the earlier one's state on.
 */
function historyStore(): Store {
  const state = () => history.state as { kept?: Record<string, string> } | null
  return memoryStore(state()?.kept, (kept) => history.replaceState({ ...state(), kept }, ''))
}

/**
 * sessionStorage, or the history where the browser refuses it (a frame of another
 * site with cookies blocked throws at the mere mention).
 */
export function tabStore(): Store {
  try {
    const session = window.sessionStorage
    session.setItem('windlass', '1')
    session.removeItem('windlass')
    return {
      get: (key) => session.getItem(key),
      set: (key, value) => session.setItem(key, value),
      remove: (key) => session.removeItem(key),
    }
  } catch {
    return historyStore()
  }
}
