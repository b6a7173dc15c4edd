import type { Method, Question, Transaction } from './model'

/** The decisions of an incomplete transaction, one a screen, in their order. */
export type Decision = 'who' | 'amount' | 'more' | 'method' | 'summary'

/** The screens. */
export type Screen = Decision | 'pay' | 'send' | 'progress'

const unanswered = (questions: Question[]): boolean => questions.some(({ required, value, masked }) => required && !value && !masked)

export const chosenMethod = (tx: Transaction): Method | undefined => tx.terms.methods.find((method) => method.id === tx.method)

/** The only method, if choosing it asks nothing of the customer. */
export function obviousMethod(tx: Transaction): Method | undefined {
  const [only, another] = tx.terms.methods
  return only && !another && only.questions.length === 0 ? only : undefined
}

/**
 * What one of the two pages about the customer asks: what everybody is asked, and
 * what the amount asks in addition. Before there is an amount, and where a reviewer
 * wants something corrected, all is on the first.
 */
export function asked(tx: Transaction, page: 'who' | 'more'): Question[] {
  if (tx.amountIn === null || tx.review === 'correction') return page === 'who' ? tx.questions : []
  return tx.questions.filter(({ from }) => (from === null) === (page === 'who'))
}

const open = (questions: Question[]): boolean => questions.some(({ required, answered }) => required && !answered)

/** What the page shows of what it asks: of more, only what is not said yet, unless they came back to it. A document stays: it answers as soon as it is sent, while they look. */
export function toAsk(tx: Transaction, page: 'who' | 'more'): Question[] {
  const all = asked(tx, page)
  return page === 'more' && open(all) ? all.filter(({ answered, type }) => !answered || type === 'file') : all
}

/**
 * Whether the customer must (again) say who they are. What the wallet filled in
 * for them still wants their look, so answers alone do not settle it: the
 * review tells that they were given.
 */
function mustIdentify(tx: Transaction): boolean {
  if (tx.review === 'correction') return true
  const all = asked(tx, 'who')
  return open(all) || (all.length > 0 && tx.amountIn === null && tx.review === 'none')
}

/** Whether the price has changed while a reviewer looked, so that the customer must agree again. */
export const priceMoved = (tx: Transaction): boolean =>
  tx.status === 'incomplete' && tx.timeline.at(-1)?.event === 'review_passed' && tx.timeline.some(({ event }) => event === 'submitted')

/** The screens of entering, those before the first open one being passed. */
export function decisions(tx: Transaction): Decision[] {
  const all: Decision[] = []
  if (asked(tx, 'who').length > 0) all.push('who')
  all.push('amount')
  if (asked(tx, 'more').length > 0) all.push('more')
  if (!obviousMethod(tx)) all.push('method')
  all.push('summary')
  return all
}

/** The first decision that is still to be made. */
export function openDecision(tx: Transaction): Decision {
  if (mustIdentify(tx)) return 'who'
  if (tx.amountIn === null) return 'amount'
  if (open(asked(tx, 'more'))) return 'more'
  const method = chosenMethod(tx)
  if (!method || unanswered(method.questions)) return obviousMethod(tx) ? 'amount' : 'method'
  return 'summary'
}

/** Whether nobody but this page moves it: no reviewer is at it, or may be. */
export const alone = (tx: Transaction): boolean => tx.status === 'incomplete' && tx.review !== 'pending'

/**
 * The screen to show. The customer may have gone back to a decision already
 * made (wanted), never past the first open one.
 */
export function screenOf(tx: Transaction, wanted: string | null): Screen {
  if (tx.status === 'pending_user' && tx.review === 'correction') return 'who'
  if (tx.status === 'incomplete') {
    const all = decisions(tx)
    const open = openDecision(tx)
    const chosen = all.find((decision) => decision === wanted)
    return chosen && all.indexOf(chosen) <= all.indexOf(open) ? chosen : open
  }
  if (tx.status === 'pending_user_transfer_start' && tx.instructions.length > 0) return tx.kind === 'deposit' ? 'pay' : 'send'
  return 'progress'
}

/** The events by which the customer's money is known to be here. */
const arrivals = ['funds_received', 'revived', 'arrived_small', 'arrived_large', 'held']

export const funded = (tx: Transaction): boolean => tx.timeline.some((step) => arrivals.includes(step.event))

/** Whether the customer collects the money at a desk. */
export const inCash = (tx: Transaction): boolean => tx.kind === 'withdrawal' && tx.method === 'cash'

/** Whether the customer could still pay by the instructions. */
export const payable = (tx: Transaction): boolean =>
  (tx.status === 'pending_user_transfer_start' || tx.status === 'pending_external') && tx.instructions.length > 0 && !funded(tx)

/** Whether the customer may still call it off. */
export const cancellable = (tx: Transaction): boolean =>
  ['incomplete', 'pending_user', 'pending_user_transfer_start', 'pending_anchor'].includes(tx.status) && !funded(tx)
