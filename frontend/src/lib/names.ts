/** A language's name in itself, as a menu writes it. */
export function languageName(code: string): string {
  const name = new Intl.DisplayNames([code], { type: 'language' }).of(code) ?? code
  return name.charAt(0).toLocaleUpperCase(code) + name.slice(1)
}

/** An address as people compare it: its two ends. */
export const shortAccount = (account: string): string => (account.length > 12 ? `${account.slice(0, 4)}…${account.slice(-4)}` : account)
