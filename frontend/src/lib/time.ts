/** "22 Nov, 14:30"; the year only when it is not this one. */
export function formatMoment(at: string, locale: string, now = new Date()): string {
  const date = new Date(at)
  return new Intl.DateTimeFormat(locale, {
    day: 'numeric',
    month: 'short',
    hour: 'numeric',
    minute: '2-digit',
    ...(date.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' }),
  }).format(date)
}

/** A day in full and the time with its zone, for what is kept. */
export const formatDay = (at: string, locale: string): string =>
  new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'long' }).format(new Date(at))

const units = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const

/** "1 day, 4 hours", "12 minutes, 5 seconds": the two largest units of a span. */
export function formatSpan(milliseconds: number, locale: string): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  const first = units.findIndex(([, size]) => seconds >= size)
  const shown = first < 0 ? units.slice(-1) : units.slice(first, first + 2)
  let rest = seconds
  const parts: string[] = []
  for (const [unit, size] of shown) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0 || shown.length === 1) {
      parts.push(new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(count))
    }
  }
  return new Intl.ListFormat(locale, { type: 'unit', style: 'long' }).format(parts)
}

/** "1 minute", "2 hours", "3 days": about how long something takes, in one unit and never too short. */
export function formatAbout(seconds: number, locale: string): string {
  const [unit, size] = seconds < 5_400 ? (['minute', 60] as const) : seconds < 129_600 ? (['hour', 3_600] as const) : (['day', 86_400] as const)
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(Math.max(1, Math.ceil(seconds / size)))
}
