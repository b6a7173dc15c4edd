import { describe, expect, it } from 'vitest'
import type { Question, Step, Transaction } from './model'
import { milestones } from './milestones'
import { paymentRequest } from './pay'
import { method, sample } from './sample'
import { situation } from './situation'
import { alone, asked, cancellable, decisions, openDecision, payable, priceMoved, screenOf, toAsk } from './steps'

const question = (name: string, value: string | null, required = true, from: string | null = null): Question => ({
  name,
  label: name,
  help: null,
  type: 'text',
  options: [],
  required,
  from,
  answered: value !== null,
  autocomplete: '',
  earliest: null,
  latest: null,
  value,
  masked: null,
})

const half = [question('first_name', 'Ada'), question('last_name', null)]
const answered = [question('first_name', 'Ada'), question('last_name', 'L')]
const transfer = method('bank_transfer', '')
const cash = method('cash', '')
const toBank = method('bank_transfer', '', [question('bank_account_number', null), question('bank_name', null, false)])
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
    ['nothing is known', { questions: half }, 'who'],
    ['all is prefilled but never looked at', { questions: answered }, 'who'],
    ['the customer is known', { questions: answered, review: 'accepted' }, 'amount'],
    ['the customer is being reviewed', { questions: answered, review: 'pending' }, 'amount'],
    ['a known customer lacks a new answer', { questions: half, review: 'accepted' }, 'who'],
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
  expect(decisions(sample({ questions: half, terms: withMethods(toBank) }))).toEqual(['who', 'amount', 'method', 'summary'])
})

describe('what an amount asks in addition', () => {
  const base = question('first_name', 'Ada')
  const level = [question('birth_date', null, true, '1000'), question('city', 'Lima', true, '1000'), question('occupation', null, false, '1000')]
  const tx = sample({ questions: [base, ...level], amountIn: '2000', terms: withMethods(toBank) })
  const names = (questions: Question[]) => questions.map(({ name }) => name)

  it('comes after the amount, and only what is not said yet', () => {
    expect(decisions(tx)).toEqual(['who', 'amount', 'more', 'method', 'summary'])
    expect(openDecision(tx)).toBe('more')
    expect(names(toAsk(tx, 'who'))).toEqual(['first_name'])
    expect(names(toAsk(tx, 'more'))).toEqual(['birth_date', 'occupation'])
    expect(screenOf(tx, 'summary')).toBe('more')
    expect(screenOf(tx, 'who')).toBe('who')
  })

  it('is passed once it is said, and all there for whoever goes back', () => {
    const said = { ...tx, review: 'pending' as const, questions: [base, ...level.map((q) => ({ ...q, value: 'x', answered: true }))] }
    expect(openDecision(said)).toBe('method')
    expect(decisions(said)).toContain('more')
    expect(names(toAsk(said, 'more'))).toEqual(['birth_date', 'city', 'occupation'])
  })

  it('keeps a document that was just sent, while others are open', () => {
    const sent = { ...question('photo_proof_residence', 'id', true, '1000'), type: 'file' as const }
    expect(names(toAsk({ ...tx, questions: [base, ...level, sent] }, 'more'))).toEqual(['birth_date', 'occupation', 'photo_proof_residence'])
  })

  it('wants a look at what only the wallet said', () => {
    const filled = { ...tx, questions: [base, { ...level[0]!, value: '1990-12-31', answered: false }] }
    expect(openDecision(filled)).toBe('more')
    expect(names(toAsk(filled, 'more'))).toEqual(['birth_date'])
  })

  it('is on the first page where the wallet proposed the amount, or all is to be corrected', () => {
    expect(names(asked({ ...tx, amountIn: null }, 'who'))).toHaveLength(4)
    expect(decisions({ ...tx, amountIn: null })).not.toContain('more')
    expect(names(toAsk({ ...tx, review: 'correction' }, 'who'))).toHaveLength(4)
    expect(openDecision({ ...tx, review: 'correction' })).toBe('who')
  })
})

it('knows that the price has moved while a reviewer looked', () => {
  const events = (...all: string[]) => sample({ timeline: all.map((event, i) => step(event, i)) })
  expect(priceMoved(events('started', 'submitted', 'review_passed'))).toBe(true)
  expect(priceMoved(events('started', 'correction_due', 'corrected', 'review_passed'))).toBe(false)
  expect(priceMoved({ ...events('started', 'submitted', 'review_passed'), status: 'pending_user_transfer_start' })).toBe(false)
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
  expect([payable(waiting), cancellable(waiting), alone(waiting)]).toEqual([true, false, false])
  const here = sample({ status: 'pending_anchor', instructions, timeline: [step('funds_received')] })
  expect([payable(here), cancellable(here)]).toEqual([false, false])
  const review = sample({ status: 'pending_anchor', timeline: [step('submitted')] })
  expect([payable(review), cancellable(review)]).toEqual([false, true])
  expect(alone(sample())).toBe(true)
  // A reviewer may move it, from wherever the customer is.
  expect(alone(sample({ review: 'pending' }))).toBe(false)
  expect(alone(sample({ status: 'pending_user', review: 'correction' }))).toBe(false)
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

  it('ends at the desk where the money is collected', () => {
    const cash = { kind: 'withdrawal', method: 'cash' } as const
    const told = [...received, step('bank_told', 3)]
    expect(states({ ...cash, status: 'pending_external', timeline: told }).slice(2)).toEqual(['received done', 'ready current', 'collected next'])
    expect(situation(sample({ ...cash, status: 'pending_external', timeline: told })).name).toBe('sending.cash')
    expect(situation(sample({ kind: 'deposit', method: 'cash', status: 'pending_stellar', timeline: told })).name).toBe('sending.deposit')
    const ready = [...told, step('pickup_ready', 4)]
    expect(states({ ...cash, status: 'pending_user_transfer_complete', timeline: ready }).slice(3)).toEqual(['ready done', 'collected current'])
    expect(states({ ...cash, status: 'completed', timeline: told }).at(-1)).toBe('collected done')
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
