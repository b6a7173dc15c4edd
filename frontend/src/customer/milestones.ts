import type { Status, Step, Transaction } from './model'
import { situation } from './situation'
import { inCash } from './steps'

export interface Milestone {
  /** Ends a catalogue key: "page.milestone.<kind>.<name>", or "page.milestone.<name>" for an ending. */
  name: string
  at: string | null
  state: 'done' | 'current' | 'next' | 'stopped'
}

/** The road every transaction of both kinds hopes to take, and the events that reach each place. */
const road: [name: string, events: string[]][] = [
  ['started', []],
  ['details', ['agreed', 'review_passed']],
  ['received', ['funds_received', 'revived', 'arrived_small', 'arrived_large', 'held']],
  ['sending', ['payout_signed', 'bank_told', 'pickup_ready']],
  ['arrived', ['payout_applied', 'bank_settled', 'picked_up']],
]

/** Cash is not sent: the last of the road is the customer's own. */
const roadToDesk: typeof road = [...road.slice(0, -2), ['ready', ['pickup_ready']], ['collected', ['picked_up', 'bank_settled']]]

/** Statuses beside the road. */
const endings: Status[] = ['refunded', 'expired', 'no_market', 'too_small', 'too_large', 'error', 'on_hold', 'pending_trust']

/** The transaction's life in a few lines: what happened, what is happening, what comes. */
export function milestones(tx: Transaction): Milestone[] {
  const way = inCash(tx) ? roadToDesk : road
  const reached = (events: string[]): Step | undefined => tx.timeline.find((step) => events.includes(step.event))
  const times = way.map(([name, events]) => (name === 'started' ? tx.startedAt : (reached(events)?.at ?? null)))
  let last = times.findLastIndex((at) => at !== null)
  if (tx.status === 'completed') last = way.length - 1

  const left = endings.includes(tx.status)
  const all = way.map<Milestone>(([name], i) => ({
    name,
    at: i === way.length - 1 && tx.status === 'completed' ? (tx.completedAt ?? times[i]!) : times[i]!,
    state: i <= last ? 'done' : i === last + 1 && !left ? 'current' : 'next',
  }))
  // Everything is entered, but a person still reads it.
  const reviewed = all.find(({ name, state }) => name === 'details' && state === 'current' && tx.status === 'pending_anchor')
  if (reviewed) reviewed.name = 'review'
  if (!left) return all
  const { name } = situation(tx)
  const over = ['rejected', 'refunded', 'expired', 'cancelled'].includes(name)
  const ending: Milestone = { name: over ? name : tx.status, at: tx.updatedAt, state: over ? 'stopped' : 'current' }
  const back = tx.status === 'too_small' || tx.status === 'too_large' || tx.status === 'no_market'
  return [...all.slice(0, last + 1), ending, ...(over || back ? [] : all.slice(last + 1))]
}
