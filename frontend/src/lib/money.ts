/**
 * Amounts are exact decimals in strings and are never turned into a Number:
 * Stellar's have up to nineteen digits.
 */

/**
 * The locale for figures: the browser's own region if it speaks the page's language, with the digits that banks
 * and wallets take, since figures are copied.
 */
export function figuresLocale(lang: string, preferred: readonly string[]): string {
  const tag = preferred.find((tag) => tag === lang || tag.startsWith(lang + '-')) ?? lang
  return new Intl.NumberFormat(tag).resolvedOptions().numberingSystem === 'latn' ? tag : new Intl.Locale(tag, { numberingSystem: 'latn' }).toString()
}

/** Puts the digits that banks take in the place of those of Arabic and Persian keyboards. */
export const latinDigits = (text: string): string => text.replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (digit) => String(digit.charCodeAt(0) & 0xf))

/** The same of their separators. */
const latin = (text: string): string => latinDigits(text).replaceAll('\u066b', '.').replaceAll('\u066c', ',')

function decimalSeparator(locale: string): string {
  return new Intl.NumberFormat(locale).formatToParts(1.5).find((part) => part.type === 'decimal')?.value ?? '.'
}

/** No currency has more decimals than these; of the others, zeros at the end say nothing. */
const cents = 2
const mills = 3

/**
 * Writes an amount for people, with exactly the given number of decimals, or of
 * many with those that say something; what lies below them is cut. A cut that
 * would leave nothing of something is written as "< 0.01".
 */
export function formatAmount(amount: string, decimals: number, locale: string): string {
  const negative = amount.startsWith('-')
  const [whole = '0', fraction = ''] = amount.replace('-', '').split('.')
  const all = fraction.slice(0, decimals).padEnd(decimals, '0')
  const nothing = /^0*$/.test(whole + all) && /[1-9]/.test(fraction)
  const shown = decimals > mills ? all.replace(/0+$/, '').padEnd(cents, '0') : all
  const digits = nothing && decimals > 0 ? all.slice(0, -1) + '1' : shown
  const integer = new Intl.NumberFormat(locale, { useGrouping: true }).format(BigInt(whole || '0'))
  const text = decimals > 0 ? integer + decimalSeparator(locale) + digits : integer
  return (nothing ? '< ' : '') + (negative ? '−' : '') + text
}

/** Writes a price, of which every digit counts, with no fewer decimals than its currency has. */
export function formatPrice(price: string, decimals: number, locale: string): string {
  return formatAmount(price, Math.max(decimals, price.split('.')[1]?.length ?? 0), locale)
}

/**
 * Reads what a person typed, with either separator: "1,000.50", "1.000,50",
 * "10,5", in Latin or Arabic digits. Returns a plain decimal, or null when it is no amount.
 */
export function parseAmount(text: string, locale: string): string | null {
  const typed = latin(text).replace(/[\s'’\u200e\u200f]/g, '')
  if (!/^[\d.,]+$/.test(typed) || !/\d/.test(typed)) return null
  const last = Math.max(typed.lastIndexOf('.'), typed.lastIndexOf(','))
  let decimal = last >= 0 ? typed[last]! : ''
  if (decimal && !(typed.includes('.') && typed.includes(','))) {
    const groups = typed.split(decimal)
    const grouping = groups.length > 2 || (decimal !== decimalSeparator(locale) && groups[1]!.length === 3 && groups[0] !== '0')
    if (grouping) decimal = ''
  }
  const [whole = '', fraction = '', more] = decimal ? typed.split(decimal) : [typed]
  if (more !== undefined || /[.,]/.test(fraction)) return null
  const groups = whole.split(/[.,]/)
  if (groups.length > 1 && (groups[0] === '' || groups.slice(1).some((group) => group.length !== 3))) return null
  const integer = groups.join('').replace(/^0+(?=\d)/, '') || '0'
  const rest = fraction.replace(/0+$/, '')
  return rest ? `${integer}.${rest}` : integer
}

/** What an input field shows for an amount: no grouping, the locale's separator. */
export function editableAmount(amount: string, locale: string): string {
  return amount.replace('.', decimalSeparator(locale))
}

/** Whether an amount is above zero. */
export const isPositive = (amount: string): boolean => /[1-9]/.test(amount) && !amount.startsWith('-')
