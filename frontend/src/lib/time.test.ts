import { expect, it } from 'vitest'
import { formatAbout, formatDay, formatMoment, formatSpan } from './time'

it.each([
  [90_000_000, 'en', '1 day, 1 hour'],
  [86_400_000, 'en', '1 day'],
  [7_260_000, 'es', '2 horas y 1 minuto'],
  [7_260_000, 'ar-u-nu-latn', 'ساعتان ودقيقة'],
  [65_000, 'en', '1 minute, 5 seconds'],
  [900, 'en', '0 seconds'],
  [-5, 'en', '0 seconds'],
])('%i ms in %s is %s', (span, locale, want) => {
  expect(formatSpan(span, locale)).toBe(want)
})

it('names the year only when it is another', () => {
  const now = new Date('2026-11-22T12:00:00')
  expect(formatMoment('2026-11-22T14:30:00', 'en-GB', now)).toBe('22 Nov, 14:30')
  expect(formatMoment('2025-11-22T14:30:00', 'en-GB', now)).toContain('2025')
})

it('tells the whole day and the zone where it is kept', () => {
  expect(formatDay('2026-11-22T14:30:05Z', 'en-GB')).toMatch(/^2[123] November 2026 at \d\d:\d0:05 (UTC|GMT|CE|[A-Z])/)
})

it.each([
  [1, 'en', '1 minute'],
  [61, 'en', '2 minutes'],
  [7_200, 'es', '2 horas'],
  [86_400, 'en', '24 hours'],
  [172_800, 'es', '2 días'],
  [172_801, 'en', '3 days'],
])('%i seconds in %s are about %s', (seconds, locale, want) => {
  expect(formatAbout(seconds, locale)).toBe(want)
})
