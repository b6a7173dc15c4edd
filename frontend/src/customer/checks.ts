import { latinDigits } from '../lib/money'
import type { Question } from './model'

/**
 * What the server will say of an answer, so that it can be said while it is typed.
 * The server stays the authority: it judges again what passes here.
 */

/** What nobody sees but changes what is read, controls aside; Persian and Indian scripts need their joiners. */
const unseen = String.raw`[\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]|(?![\u200c\u200d])\p{Cf}`
const hidden = new RegExp(String.raw`\p{Cc}|${unseen}`, 'u')
/** What people write between the digits of a phone number, and what their address book copies around it. */
const undialled = new RegExp(String.raw`\(0\)|[ \u00a0\u202f().\-/\u2010\u2011\u2013]|${unseen}`, 'gu')

export interface DateParts {
  year: string
  month: string
  day: string
}

/** A date as it stands while it is typed: "1990--5" has no month yet. */
export const joinDate = ({ year, month, day }: DateParts): string => (year || month || day ? `${year}-${month}-${day}` : '')

export function splitDate(text: string): DateParts {
  const [year = '', month = '', day = ''] = text.split('-')
  return { year, month, day }
}

/** An answer as it is sent. */
export function written({ type }: Question, text: string): string {
  switch (type) {
    case 'date': {
      const { year, month, day } = splitDate(text)
      return text && `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`
    }
    case 'phone':
      return latinDigits(text).replace(undialled, '').replace(/^00/, '+')
    default:
      return text.trim()
  }
}

function exists(date: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(date)) return false
  const { year, month, day } = splitDate(date)
  const at = new Date(0)
  at.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  return at.toISOString().startsWith(date)
}

/** The reason why an answer will not do, as the server calls it; empty if there is none. */
export function fault(question: Question, text: string): string {
  const { type, options, earliest, latest } = question
  const answer = written(question, text)
  if (answer === '') return !question.required ? '' : type === 'file' ? 'file_unknown' : 'field_required'
  if ([...answer].length > 200) return 'field_too_long'
  if (hidden.test(answer)) return 'field_malformed'
  switch (type) {
    case 'email':
      return /^[^\s@<>,"()]+@[^\s@<>,"()]+\.[^\s@<>,"()]+$/.test(answer) ? '' : 'email_malformed'
    case 'phone':
      if (!answer.startsWith('+')) return 'phone_without_country'
      return /^\+[1-9]\d{6,14}$/.test(answer) ? '' : 'phone_malformed'
    case 'date':
      if (!exists(answer)) return 'date_malformed'
      if (latest && answer > latest) return 'date_future'
      if (earliest && answer < earliest) return latest ? 'date_too_early' : 'document_expired'
      return ''
    case 'country':
    case 'choice':
      return options.length === 0 || options.some(({ value }) => value === answer) ? '' : 'choice_unknown'
    case 'account_number':
      return /^[a-z\d]{4,34}$/i.test(answer.replace(/[ -]/g, '')) ? '' : 'account_number_malformed'
    default:
      return ''
  }
}
