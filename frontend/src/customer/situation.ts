import type { Transaction } from './model'
import { funded, inCash } from './steps'

export type Tone = 'waiting' | 'attention' | 'good' | 'ended'

/** What the progress page is about, as the last part of a catalogue key, and how it looks. */
export function situation(tx: Transaction): { name: string; tone: Tone } {
  const sent = inCash(tx) ? 'cash' : tx.kind
  switch (tx.status) {
    case 'incomplete':
      return { name: 'incomplete', tone: 'attention' }
    case 'pending_user':
      return { name: 'action', tone: 'attention' }
    case 'pending_user_transfer_start':
      return { name: `awaiting.${tx.kind}`, tone: 'waiting' }
    case 'pending_external':
      return tx.kind === 'deposit' && !funded(tx) ? { name: 'awaiting.deposit', tone: 'waiting' } : { name: `sending.${sent}`, tone: 'waiting' }
    case 'pending_anchor':
      return funded(tx) ? { name: `sending.${sent}`, tone: 'waiting' } : { name: 'review', tone: 'waiting' }
    case 'pending_stellar':
      return { name: `sending.${sent}`, tone: 'waiting' }
    case 'pending_user_transfer_complete':
      return { name: 'pickup', tone: 'good' }
    case 'pending_trust':
      return { name: 'trust', tone: 'attention' }
    case 'on_hold':
      return { name: 'hold', tone: 'attention' }
    case 'too_small':
    case 'too_large':
    case 'no_market':
      return { name: 'refunding', tone: 'attention' }
    case 'completed':
      return { name: `completed.${sent}`, tone: 'good' }
    case 'refunded':
      return { name: 'refunded', tone: 'ended' }
    case 'expired':
      return { name: tx.timeline.at(-1)?.event === 'cancelled' ? 'cancelled' : 'expired', tone: 'ended' }
    case 'error':
      return { name: tx.review === 'rejected' ? 'rejected' : 'stuck', tone: 'attention' }
  }
}
