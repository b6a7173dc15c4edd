import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import en from '../../../server/language/en.json'

const server = new URL('../../../server/', import.meta.url)
const frontend = new URL('../', import.meta.url)
const languages = Object.fromEntries(
  readdirSync(new URL('language/', server))
    .filter((name) => name.endsWith('.json'))
    .map((name) => [name.slice(0, -5), JSON.parse(readFileSync(new URL(`language/${name}`, server), 'utf8')) as Record<string, string>]),
)

const read = (path: string, base: URL): string => readFileSync(new URL(path, base), 'utf8')
const files = (folder: string, base: URL): string[] =>
  readdirSync(new URL(folder, base), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}${name}`)
const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, found]) => found!)

/** A key without its plural form: which forms there are differs from language to language. */
const base = (key: string): string => key.replace(/_(zero|one|two|few|many|other)$/, '')
const placeholders = (sentence: string): string[] => [...new Set(all(sentence, /{{(\w+)}}/g))].sort()

const machine = read('anchor/machine.go', server)
const goFiles = (folder: string): string[] => files(folder, server).filter((name) => name.endsWith('.go') && !name.endsWith('_test.go'))
const statuses = all(machine, /\bStatus = "(\w+)"/g)
const events = all(machine, /\bEvent = "(\w+)"/g)
// Refunds are asked for by staff, who are told the server's own English.
const errors = goFiles('anchor/').filter((name) => name !== 'anchor/refund.go').flatMap((name) => all(read(name, server), /(?:\bKind: \w+,\s+Code: |\brefuse\()"(\w+)"/g))
const feeLines = all(read('anchor/fee.go', server), /\bFee\w+ += "(\w+)"/g)
const notes = goFiles('./').flatMap((name) => all(read(name, server), /\bNote = "(\w+)"/g))
const fields = all(read('anchor/field.go', server), /^\t\{Name: "(\w+)"/gm)
const options = all(read('anchor/field.go', server), /Name: ("\w+".* Options: \[\]string\{.*)\}/g).flatMap((line) => {
  const [name, ...values] = all(line.replace(/Type: \w+|Autocomplete: "[^"]*"/g, ''), /"(\w+)"/g)
  return values.map((value) => `option.${name}.${value}`)
})

/** The keys that the server looks up. */
const required = [
  ...statuses.flatMap((status) => [`status.deposit.${status}`, `status.withdrawal.${status}`]),
  ...['started', ...events].map((event) => `event.${event}`),
  ...errors.map((code) => `error.${code}`),
  ...['internal', 'unavailable', 'forbidden', 'not_found', 'token_expired', 'token_used', 'token_invalid', 'session_ended'].map(
    (code) => `error.${code}`,
  ),
  ...notes.map((note) => `message.${note}`),
  ...feeLines.map((line) => `fee.${line}`),
  ...fields.map((name) => `field.${name}`),
  ...options,
  ...['account_holder', 'account_number', 'bank_name', 'reference', 'amount', 'account', 'memo', 'memo_type'].map((name) => `instruction.${name}`),
  'method.bank_transfer',
]

describe('the catalogue', () => {
  it('finds what the server declares', () => {
    expect(statuses).toHaveLength(16)
    expect(events.length).toBeGreaterThan(25)
    expect(errors.length).toBeGreaterThan(15)
    expect(feeLines).toHaveLength(4)
    expect(fields.length).toBeGreaterThan(30)
    expect(options).toContain('option.sex.female')
  })

  it.each(Object.keys(languages))('says in %s all that the server may say', (code) => {
    expect(required.filter((key) => !languages[code]![key])).toEqual([])
  })

  it('has the same keys in every language, each saying something', () => {
    for (const catalogue of Object.values(languages)) {
      expect([...new Set(Object.keys(catalogue).map(base))]).toEqual([...new Set(Object.keys(en).map(base))])
      expect(Object.entries(catalogue).filter(([, sentence]) => sentence.trim() !== sentence || sentence === '')).toEqual([])
    }
  })

  it('has the same placeholders in every language', () => {
    for (const catalogue of Object.values(languages)) {
      for (const [key, sentence] of Object.entries(en)) expect([key, placeholders(catalogue[key]!)]).toEqual([key, placeholders(sentence)])
    }
  })

  it('has every plural form of each language, for the counts that occur', () => {
    for (const [code, catalogue] of Object.entries(languages)) {
      const rules = new Intl.PluralRules(code)
      const forms = new Set(Array.from({ length: 200 }, (_, count) => rules.select(count)))
      for (const key of Object.keys(en).filter((key) => key.endsWith('_one'))) {
        expect([code, [...forms].filter((form) => !catalogue[`${base(key)}_${form}`])]).toEqual([code, []])
      }
    }
  })

  it('gives statuses only what the server fills in', () => {
    const filled = ['amount_in', 'amount_out', 'asset_in', 'asset_out', 'deadline']
    for (const [key, sentence] of Object.entries(en)) {
      if (key.startsWith('status.')) expect([key, placeholders(sentence).filter((name) => !filled.includes(name))]).toEqual([key, []])
    }
  })
})

describe('the pages', () => {
  const web = ['customer/', 'lib/']
    .flatMap((folder) => files(folder, frontend))
    .filter((name) => /\.(svelte|ts)$/.test(name) && !name.endsWith('.test.ts'))
    .map((name) => read(name, frontend))
  // The server writes a summary into the page, for those without JavaScript.
  const source = [...web, ...goFiles('./').map((name) => read(name, server))].join('\n')
  const known = new Set(Object.keys(en).map(base))
  const literal = all(source, /['"]((?:page|error)\.[\w.]+\w)['"]/g)
  /** `page.amount.${kind}` stands for every key that fits it. */
  const patterns = all(source, /`((?:page|error)\.[^`]*\$\{[^`]*)`/g).map(
    (template) => new RegExp(`^${template.replace(/\$\{.*\}/g, '*').replaceAll('.', '\\.').replaceAll('*', '.*')}$`),
  )

  it('use only sentences that exist', () => {
    expect(literal.filter((key) => !known.has(key))).toEqual([])
    expect(patterns.filter((pattern) => ![...known].some((key) => pattern.test(key)))).toEqual([])
  })

  it('leave no sentence unused', () => {
    const unused = [...known].filter((key) => key.startsWith('page.') && !literal.includes(key) && !patterns.some((pattern) => pattern.test(key)))
    expect(unused).toEqual([])
  })
})
