import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { direction, sentence } from './sentence'

const catalogue = {
  greet: 'Hello {{name}}, {{name}}',
  check_one: 'one answer',
  check_two: 'two answers',
  check_few: '{{count}} answers (few)',
  check_other: '{{count}} answers',
  arrived: 'وصل {{amount}} {{asset}} إلى {{where}}.',
}

it.each([
  ['en', 'greet', { name: 'Ada' }, 'Hello Ada, Ada'],
  ['en', 'greet', { name: '{{name}}' }, 'Hello {{name}}, {{name}}'],
  ['en', 'greet', {}, 'Hello {{name}}, {{name}}'],
  ['en', 'no.such.key', {}, 'no.such.key'],
  ['en', 'check', { count: 1 }, 'one answer'],
  ['en', 'check', { count: 3 }, '3 answers'],
  ['ar', 'check', { count: 2 }, 'two answers'],
  ['ar', 'check', { count: 3 }, '\u20683\u2069 answers (few)'],
  ['ar', 'arrived', { amount: '97.50', asset: 'USDW' }, 'وصل \u206897.50 USDW\u2069 إلى {{where}}.'],
  ['en', 'arrived', { amount: '97.50', asset: 'USDW', where: 'X' }, 'وصل 97.50 USDW إلى X.'],
] as const)('says in %s %s with %o: %s', (code, key, values, said) => {
  expect(sentence(catalogue, code, key, values)).toBe(said)
})

it('writes the languages from right to left that the server does', () => {
  const server = readFileSync(new URL('../../../server/language/language.go', import.meta.url), 'utf8')
  const listed = [...server.match(/rightToLeft = map\[string\]bool\{([^}]*)\}/)![1]!.matchAll(/"(\w+)": true/g)].map(([, code]) => code)
  expect(['en', 'es', 'pt', 'fr', 'id', 'ar', 'he', 'fa'].filter((code) => direction(code) === 'rtl')).toEqual(listed)
})
