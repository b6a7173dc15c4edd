/**
 * sessionStorage, or memory where the browser refuses it (a frame of another
 * site with cookies blocked throws at the mere mention).
 */
export interface Store {
  get(key: string): string | null
  set(key: string, value: string): void
  remove(key: string): void
}

export function memoryStore(): Store {
  const values = new Map<string, string>()
  return {
    get: (key) => values.get(key) ?? null,
    set: (key, value) => void values.set(key, value),
    remove: (key) => void values.delete(key),
  }
}

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
    return memoryStore()
  }
}
