import { countryName } from './countries'
import type { Question } from './model'

/** An answer that was given, as people read it. */
export function shown({ type, options, value }: Question, locale: string): string {
  if (!value) return ''
  switch (type) {
    case 'choice':
      return options.find((option) => option.value === value)?.label ?? value
    case 'country':
      return countryName(value, locale)
    case 'date':
      return new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeZone: 'UTC' }).format(new Date(value))
    default:
      return value
  }
}
