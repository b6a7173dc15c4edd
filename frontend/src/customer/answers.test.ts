import { describe, expect, it } from 'vitest'
import { method as sampleMethod } from './sample'
import { savedChoice, stillAsked } from './answers'
import type { Method, Question, SavedAccount } from './model'

const question = (name: string, value: string | null = null) => ({ name, value, masked: null }) as Question
const account = (id: string, chosen = false): SavedAccount => ({ id, label: id, usedAt: '2026-11-22T10:00:00Z', chosen })
const method = (saved: SavedAccount[], value: string | null = null): Method => ({ ...sampleMethod('m', 'M', [question('number', value)]), saved })

describe('savedChoice', () => {
  const two = [account('new'), account('old')]
  it.each<[string, Method, string | null, string]>([
    ['nothing saved', method([]), null, ''],
    ['the newest', method(two), null, 'new'],
    ['the one this transaction has', method([account('new'), account('old', true)]), null, 'old'],
    ['what was entered by hand, or by the wallet', method(two, '123'), null, ''],
    ['the customer’s own choice', method([account('new'), account('old', true)]), 'new', 'new'],
    ['another one, by choice', method(two), '', ''],
    ['the newest, once the choice was removed', method(two), 'gone', 'new'],
  ])('%s', (_, method, own, is) => expect(savedChoice(method, own)).toBe(is))
})

describe('stillAsked', () => {
  const questions = [question('number'), question('bank')]
  const problem = { message: '', code: '', reason: '', field: 'bank', requestId: '' }
  const names = (all: Question[]) => all.map(({ name }) => name)
  it('is nothing at first', () => expect(names(stillAsked(questions, [], {}))).toEqual([]))
  it('is what the account does not answer well', () => expect(names(stillAsked(questions, [problem], {}))).toEqual(['bank']))
  it('stays while it is typed', () => expect(names(stillAsked(questions, [], { bank: 'H' }))).toEqual(['bank']))
})
