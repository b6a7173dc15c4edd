import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { answersTo } from './answers'
import { fault, joinDate, splitDate, written } from './checks'
import { codes, countries, countryName, likely } from './countries'
import type { Question } from './model'
import { shown } from './shown'
import { testAnswer } from './testdata'

const anchor = (file: string): string => readFileSync(new URL(`../../../server/anchor/${file}`, import.meta.url), 'utf8')

const days: Record<string, [string | null, string | null]> = {
  birth_date: ['1896-03-02', '2026-03-02'],
  id_issue_date: ['1896-03-02', '2026-03-02'],
  id_expiration_date: ['2026-03-01', null],
}

function ask(type: Question['type'], more: Partial<Question> = {}): Question {
  const name = more.name ?? 'x'
  const [earliest, latest] = days[name] ?? [null, null]
  return { name, label: '', help: null, type, options: [], required: true, from: null, answered: false, autocomplete: '', earliest, latest, value: null, masked: null, ...more }
}

const types = { FieldEmail: 'email', FieldPhone: 'phone', FieldDate: 'date', FieldCountry: 'country', FieldChoice: 'choice', FieldAccountNumber: 'account_number' } as const
const fields = [...anchor('field.go').matchAll(/^\t\{Name: "(\w+)"(?!, Type: FieldFile)(?:, Type: (\w+))?.*\},$/gm)].map(([line, name, type]) => {
  const options = [...(/Options: .*/.exec(line)?.[0] ?? '').matchAll(/"(\w+)"/g)].map(([, value]) => ({ value: value!, label: '' }))
  return ask(types[type as keyof typeof types] ?? 'text', { name: name!, options })
})
const typeOf = (name: string): Question['type'] => fields.find((field) => field.name === name)!.type

const offered = ['Harbour Bank', 'Quay Bank'].map((value) => ({ value, label: value }))
const birth = ask('date', { name: 'birth_date' })

describe('an answer', () => {
  it.each<[Question, string, string]>([
    [ask('text', { required: false }), '', ''],
    [ask('phone', { required: false }), '', ''],
    [birth, '1990-2-5', ''],
    [birth, '1990--5', 'date_malformed'],
    [ask('choice', { options: offered }), 'Quay Bank', ''],
    [ask('choice', { options: offered }), 'Quay', 'choice_unknown'],
    [ask('choice', { options: offered, required: false }), '', ''],
    [ask('country'), 'ARG', ''],
    [ask('country', { options: [{ value: 'BRA', label: '' }] }), 'ARG', 'choice_unknown'],
  ])('%#: %j is judged', (question, answer, reason) => {
    expect(fault(question, answer)).toBe(reason)
  })

  /** The server's own examples, but for what the page has a list of. */
  const examples = (JSON.parse(anchor('testdata/answers.json')) as { name: string; value: string; kept?: string; code?: string }[])
    .map((example) => ({ ...example, question: ask(typeOf(example.name), { name: example.name }) }))
    .filter(({ name, question, value }) => name !== 'bank_name' && !['choice', 'country'].includes(question.type) && (question.type !== 'date' || written(question, value) === value))

  it('is judged as the server will, in all of its examples', () => {
    expect(examples.length).toBeGreaterThan(70)
    for (const { question, value, code = '' } of examples) expect([question.name, value, fault(question, value)]).toEqual([question.name, value, code])
  })

  it('is sent as the server keeps it', () => {
    for (const { question, value, kept } of examples) if (kept) expect(written(question, value)).toBe(kept)
  })

  it('is sent in one form', () => {
    expect(written(ask('phone'), '+44 (0)20 7946 0958')).toBe('+442079460958')
    expect(written(birth, '1990-2-5')).toBe('1990-02-05')
    expect(written(birth, '')).toBe('')
    expect(answersTo([birth], { birth_date: '1990-2-5' })).toEqual([{ name: 'birth_date', value: '1990-02-05' }])
  })

  it('keeps each part of a date apart until all are there', () => {
    for (const text of ['1990--5', '-12-', '1990-12-31', '--5']) expect(joinDate(splitDate(text))).toBe(text)
    expect(joinDate(splitDate(''))).toBe('')
  })

  it('is shown as people read it', () => {
    expect(shown(ask('choice', { options: [{ value: 'savings', label: 'Savings account' }], value: 'savings' }), 'en')).toBe('Savings account')
    expect(shown(ask('country', { value: 'BRA' }), 'es')).toBe('Brasil')
    expect(shown(ask('date', { value: '1990-12-31' }), 'en-GB')).toBe('31 December 1990')
    expect(shown(ask('text', { value: 'Ana' }), 'en')).toBe('Ana')
    expect(shown(ask('country'), 'en')).toBe('')
  })
})

describe('the countries', () => {
  it('are those that the server takes', () => {
    expect(codes.map((pair) => pair.join(':'))).toEqual(anchor('country.go').match(/\b[A-Z]{2}:[A-Z]{3}\b/g))
  })

  it.each(['en', 'es', 'pt', 'fr', 'id', 'ar'])('have names in %s, in their order', (language) => {
    const all = countries(language, [])
    expect(all).toHaveLength(250)
    expect(all.filter(({ value, label }) => label === value || /^[A-Z]{2}$/.test(label))).toEqual([])
    expect(all.map(({ label }) => label)).toEqual(all.map(({ label }) => label).sort(new Intl.Collator(language).compare))
  })

  it('are those offered, and the likely ones are known', () => {
    expect(countries('en', [{ value: 'URY', label: 'URY' }, { value: 'ARG', label: 'ARG' }]).map(({ label }) => label)).toEqual(['Argentina', 'Uruguay'])
    expect(likely(['es-AR', 'en', 'pt-BR'])).toEqual(['ARG', 'BRA'])
    expect(countryName('ZZZ', 'en')).toBe('ZZZ')
  })
})

describe('the test data', () => {
  it('answers every question that can be asked', () => {
    expect(fields.length).toBeGreaterThan(30)
    expect(fields.map((question) => [question.name, fault(question, testAnswer(question))]).filter(([, reason]) => reason)).toEqual([])
    expect(fields.filter((question) => testAnswer(question) === 'Test').map(({ name }) => name)).toEqual([])
  })

  it('keeps to what is offered', () => {
    expect(testAnswer(ask('choice', { name: 'bank_name', options: offered }))).toBe('Harbour Bank')
    expect(testAnswer(ask('country', { options: [{ value: 'BRA', label: '' }] }))).toBe('BRA')
  })
})
