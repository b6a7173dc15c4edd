import { describe, expect, it } from 'vitest'
import type { Question, Step, Transaction } from './model'
import { milestones } from './milestones'
import { paymentRequest } from './pay'
import { sample } from './sample'
import { situation } from './situation'
import { cancellable, decisions, entering, openDecision, payable, screenOf } from './steps'

const question = (name: string, value: string | null, required = true): Question => ({
  name,
  label: name,
  help: null,
  type: 'text',
  options: [],
  required,
  autocomplete: '',
  earliest: null,
  latest: null,
  value,
  masked: null,
})

const asked = [question('first_name', 'Ada'), question('last_name', null)]
const answered = [question('first_name', 'Ada'), question('last_name', 'L')]
const transfer = { id: 'bank_transfer', label: '', questions: [], saved: [] }
const cash = { id: 'cash', label: '', questions: [], saved: [] }
const toBank = { id: 'bank_transfer', label: '', questions: [question('bank_account_number', null), question('bank_name', null, false)], saved: [] }
const masked = { ...toBank, questions: toBank.questions.map((question) => ({ ...question, masked: '••••6789' })) }
const withMethods = (...methods: Transaction['terms']['methods']) => ({ ...sample().terms, methods })
const step = (event: string, minute = 1): Step => ({
  at: `2026-11-22T10:0${minute}:00Z`,
  event,
  from: 'incomplete',
  to: 'incomplete',
  label: event,
})
const row = (name: string, value: string) => ({ name, label: name, value, important: false, help: null })

describe('the first open decision', () => {
  it.each<[string, Partial<Transaction>, string]>([
    ['nothing is known', { questions: asked }, 'who'],
    ['all is prefilled but never looked at', { questions: answered }, 'who'],
    ['the customer is known', { questions: answered, review: 'accepted' }, 'amount'],
    ['the customer is being reviewed', { questions: answered, review: 'pending' }, 'amount'],
    ['a known customer lacks a new answer', { questions: asked, review: 'accepted' }, 'who'],
    ['a correction is due', { questions: answered, review: 'correction' }, 'who'],
    ['nobody is asked who they are', {}, 'amount'],
    ['an obvious method was not stored yet', { amountIn: '100' }, 'amount'],
    ['several methods are offered', { amountIn: '100', terms: withMethods(transfer, cash) }, 'method'],
    ['the only method asks something', { amountIn: '100', terms: withMethods(toBank) }, 'method'],
    ['the chosen method lacks an answer', { amountIn: '100', method: 'bank_transfer', terms: withMethods(toBank) }, 'method'],
    ['an answer is known only masked', { amountIn: '100', method: 'bank_transfer', terms: withMethods(masked) }, 'summary'],
    ['all is entered', { amountIn: '100', method: 'bank_transfer' }, 'summary'],
  ])('when %s', (_, more, want) => {
    expect(openDecision(sample(more))).toBe(want)
  })
})

it('leaves out decisions that nobody has to make', () => {
  expect(decisions(sample())).toEqual(['amount', 'summary'])
  expect(decisions(sample({ questions: asked, terms: withMethods(toBank) }))).toEqual(['who', 'amount', 'method', 'summary'])
})

describe('the screen', () => {
  it('goes back as far as the customer likes, never past what is open', () => {
    const tx = sample({ questions: answered, review: 'accepted', amountIn: '100', terms: withMethods(toBank) })
    expect(screenOf(tx, null)).toBe('method')
    expect(screenOf(tx, 'who')).toBe('who')
    expect(screenOf(tx, 'amount')).toBe('amount')
    expect(screenOf(tx, 'summary')).toBe('method')
    expect(screenOf(tx, 'nonsense')).toBe('method')
  })

  it.each<[Partial<Transaction>, string]>([
    [{ status: 'pending_user_transfer_start', instructions: [row('reference', 'X')] }, 'pay'],
    [{ kind: 'withdrawal', status: 'pending_user_transfer_start', instructions: [row('memo', '1')] }, 'send'],
    [{ status: 'pending_external', instructions: [row('reference', 'X')] }, 'progress'],
    [{ status: 'pending_user', review: 'correction', questions: answered }, 'who'],
    [{ status: 'pending_user' }, 'progress'],
    [{ status: 'completed' }, 'progress'],
  ])('of %o is %s', (more, want) => {
    expect(screenOf(sample(more), 'amount')).toBe(want)
  })
})

it('knows who may still pay and call off', () => {
  const instructions = [row('reference', 'X')]
  const waiting = sample({ status: 'pending_external', instructions })
  expect([payable(waiting), cancellable(waiting), entering(waiting)]).toEqual([true, false, false])
  const here = sample({ status: 'pending_anchor', instructions, timeline: [step('funds_received')] })
  expect([payable(here), cancellable(here)]).toEqual([false, false])
  const review = sample({ status: 'pending_anchor', timeline: [step('submitted')] })
  expect([payable(review), cancellable(review)]).toEqual([false, true])
  expect(entering(sample())).toBe(true)
})

describe('the timeline', () => {
  const states = (more: Partial<Transaction>) => milestones(sample(more)).map(({ name, state }) => `${name} ${state}`)
  const agreed = [step('agreed', 1)]
  const received = [...agreed, step('funds_received', 2)]

  it('goes on as the money does', () => {
    expect(states({})).toEqual(['started done', 'details current', 'received next', 'sending next', 'arrived next'])
    expect(states({ status: 'pending_user_transfer_start', timeline: agreed })[2]).toBe('received current')
    expect(states({ status: 'pending_anchor', timeline: received }).slice(2)).toEqual(['received done', 'sending current', 'arrived next'])
    expect(states({ status: 'pending_stellar', timeline: [...received, step('payout_signed', 3)] })[4]).toBe('arrived current')
  })

  it('is all done at the end, whatever was not heard of', () => {
    const done = milestones(sample({ status: 'completed', timeline: agreed, completedAt: '2026-11-22T10:09:00Z' }))
    expect(done.every(({ state }) => state === 'done')).toBe(true)
    expect(done.at(-1)!.at).toBe('2026-11-22T10:09:00Z')
  })

  it('says that a person reads what was entered', () => {
    expect(states({ status: 'pending_anchor', timeline: [step('submitted')] })[1]).toBe('review current')
  })

  it('shows side roads where they left', () => {
    expect(states({ status: 'on_hold', timeline: received })).toEqual([
      'started done',
      'details done',
      'received done',
      'on_hold current',
      'sending next',
      'arrived next',
    ])
    expect(states({ status: 'too_small', timeline: [...agreed, step('arrived_small')] }).at(-1)).toBe('too_small current')
    expect(states({ status: 'expired', timeline: agreed })).toEqual(['started done', 'details done', 'expired stopped'])
    expect(states({ status: 'expired', timeline: [step('cancelled')] }).at(-1)).toBe('cancelled stopped')
    expect(states({ status: 'error', review: 'rejected' }).at(-1)).toBe('rejected stopped')
    expect(states({ status: 'error', timeline: received }).slice(3)).toEqual(['error current', 'sending next', 'arrived next'])
  })
})

it('tells apart what one status can mean', () => {
  const name = (more: Partial<Transaction>) => situation(sample(more)).name
  expect(name({ status: 'pending_anchor' })).toBe('review')
  expect(name({ status: 'pending_anchor', timeline: [step('funds_received')] })).toBe('sending.deposit')
  expect(name({ status: 'pending_external' })).toBe('awaiting.deposit')
  expect(name({ status: 'pending_external', kind: 'withdrawal', timeline: [step('funds_received')] })).toBe('sending.withdrawal')
  expect(name({ status: 'expired', timeline: [step('cancelled')] })).toBe('cancelled')
  expect(name({ status: 'expired', timeline: [step('deadline_passed')] })).toBe('expired')
  expect(name({ status: 'error', review: 'rejected' })).toBe('rejected')
})

describe('the payment request', () => {
  const tx = sample({
    kind: 'withdrawal',
    amountIn: '100.5',
    instructions: [row('account', 'GANCHOR'), row('memo', '77'), row('memo_type', 'id')],
  })

  it('names everything a wallet needs', () => {
    expect(paymentRequest(tx, { name: 'Public', test: false })).toBe(
      'web+stellar:pay?destination=GANCHOR&amount=100.5&asset_code=USDW&asset_issuer=GISSUER&memo=77&memo_type=MEMO_ID',
    )
  })

  it('says which test network it is for, or is not made', () => {
    expect(paymentRequest(tx, { name: 'Sandbox', test: true, passphrase: 'Test ; 2015' })).toContain('&network_passphrase=Test%20%3B%202015')
    expect(paymentRequest(tx, { name: 'Sandbox', test: true })).toBeNull()
    expect(paymentRequest(sample(), { name: 'Public', test: false })).toBeNull()
  })
})
