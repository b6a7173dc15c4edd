// What must be true, to the stroop. Each check throws with both figures.

import { decimal, stroops } from './money.mjs'

export function equal(what, got, want) {
  if (stroops(got) !== stroops(want)) throw new Error(`${what} is ${got}, not ${want}`)
}

/**
 * A transaction's arithmetic, as SEP-24 shows it, from the moment amounts are
 * known: what goes out is what came in less the fee and what went back. All
 * assets here are worth the same, so one count serves.
 */
export function arithmetic(transaction) {
  const { amount_in, amount_out, amount_fee, refunds } = transaction
  const known = [amount_in, amount_out, amount_fee].filter((a) => a !== undefined && a !== null)
  if (known.length === 0) return
  if (known.length < 3) throw new Error(`the transaction shows some of its amounts only: ${JSON.stringify({ amount_in, amount_out, amount_fee })}`)
  const back = refunds ? stroops(refunds.amount_refunded) + stroops(refunds.amount_fee) : 0n
  const left = stroops(amount_in) - stroops(amount_fee) - back
  if (stroops(amount_out) !== left) {
    throw new Error(`amount_out is ${amount_out}, but ${amount_in} − ${amount_fee} − ${decimal(back)} leaves ${decimal(left)}`)
  }
}

/** The balance of an account on the ledger, "0" without a trustline. */
export async function balance(horizon, account, asset) {
  const answer = await fetch(`${horizon}/accounts/${account}`)
  if (!answer.ok) throw new Error(`Horizon answered ${answer.status} for ${account}`)
  const { balances } = await answer.json()
  return balances.find((b) => b.asset_code === asset.code && b.asset_issuer === asset.issuer)?.balance ?? '0'
}

/** Every payment of the asset to or from an account, oldest first. */
export async function payments(horizon, account, asset) {
  const found = []
  let next = `${horizon}/accounts/${account}/payments?order=asc&limit=200`
  while (next) {
    const answer = await fetch(next)
    if (!answer.ok) throw new Error(`Horizon answered ${answer.status} for the payments of ${account}`)
    const page = await answer.json()
    const records = page._embedded.records
    found.push(...records.filter((r) => r.asset_code === asset.code && r.asset_issuer === asset.issuer))
    next = records.length > 0 ? page._links.next.href : null
  }
  return found
}

/** What an account's own payments add up to. */
export function sum(records, account) {
  return decimal(records.reduce((total, r) => {
    if (r.to === account) total += stroops(r.amount)
    if (r.from === account) total -= stroops(r.amount)
    return total
  }, 0n))
}

/** The one payment with this hash between these two. */
export function onePayment(records, { hash, from, to, amount }) {
  const found = records.filter((r) => r.transaction_hash === hash && r.from === from && r.to === to)
  if (found.length !== 1) throw new Error(`${found.length} payments from ${from} to ${to} in ${hash}, not one`)
  equal(`the payment in ${hash}`, found[0].amount, amount)
}

/** The one line of the statement with this direction that holds(line). */
export function oneLine(statement, direction, amount, holds = () => true) {
  const found = statement.lines.filter((l) => l.direction === direction && holds(l))
  if (found.length !== 1) throw new Error(`${found.length} lines ${direction} on the bank's statement, not one`)
  equal(`the bank's line ${direction}`, found[0].amount, amount)
  return found[0]
}
