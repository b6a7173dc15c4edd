// Shows an anchor at work without a browser: a deposit and a withdrawal, each by
// a wallet that uses the Stellar wallet SDK, a customer at the anchor's page and
// a bank. It ends well only if every figure is right to the stroop.
//
//   node demo.mjs [BINARY]        ../bin/windlass by default

import { parseArgs } from 'node:util'
import { defaultBinary, startAnchor } from './anchor.mjs'
import { openBank } from './bank.mjs'
import * as checks from './checks.mjs'
import { decimal, stroops } from './money.mjs'
import { openPage } from './page.mjs'
import { openWallet } from './wallet.mjs'

const { positionals } = parseArgs({ allowPositionals: true })

// The schedule of fees that `windlass dev` starts with.
const deposit = { in: '100', fee: '1.50', out: '98.50' }
const withdrawal = { in: '50', fee: '2.25', out: '47.75' }

const begun = performance.now()
let anchor

/** Does one step and prints it: its time, and the hash if it made one. */
async function step(title, work) {
  const from = performance.now()
  const { note = '', hash = '', ...result } = (await work()) ?? {}
  const time = `${Math.round(performance.now() - from)} ms`
  console.log(`  ${title.padEnd(44)} ${time.padStart(8)}  ${hash || note}`)
  return result
}

function heading(text) {
  console.log(`\n${text}`)
}

async function run() {
  heading('The anchor')
  await step('windlass dev starts', async () => {
    anchor = await startAnchor({ binary: positionals[0] ?? defaultBinary })
    return { note: anchor.public }
  })
  const bank = openBank(anchor.public)
  const opening = await bank.statement()

  heading('The wallet')
  let wallet
  await step('reads stellar.toml (SEP-1)', async () => {
    wallet = await openWallet({ anchorUrl: anchor.public, horizon: anchor.horizon })
    return { note: `${wallet.asset.code} of ${wallet.asset.issuer.slice(0, 4)}…${wallet.asset.issuer.slice(-4)}` }
  })
  await step('gets an account from friendbot', async () => ({ hash: await wallet.fund() }))
  await step(`trusts ${wallet.asset.code}`, async () => ({ hash: await wallet.trust() }))
  await step('signs in (SEP-10)', async () => {
    await wallet.signIn()
    return { note: wallet.address }
  })

  heading(`A deposit of ${deposit.in}`)
  const bought = await makeDeposit(wallet, bank)
  checks.equal('the customer’s balance after the deposit', await checks.balance(anchor.horizon, wallet.address, wallet.asset), deposit.out)

  heading(`A withdrawal of ${withdrawal.in}`)
  const sold = await makeWithdrawal(wallet)

  heading('The books')
  await step('every figure, to the stroop', () => audit(wallet, bank, opening, bought, sold))

  heading('                 in        fee        out   status')
  for (const t of [bought, sold]) {
    const figures = [t.amount_in, t.amount_fee, t.amount_out].map((a) => decimal(stroops(a)).padStart(10)).join(' ')
    console.log(`  ${t.kind.padEnd(11)}${figures}   ${t.status}`)
  }
  console.log(`\nDone in ${((performance.now() - begun) / 1000).toFixed(1)} s. \`make run\` lets you do the same by hand.`)
}

async function makeDeposit(wallet, bank) {
  let asked, page, follower
  await step('the wallet asks for a deposit (SEP-24)', async () => {
    asked = await wallet.start('deposit')
    follower = wallet.follow(asked.id, { check: checks.arithmetic })
    return { note: asked.id }
  })
  await step('the customer opens the page', async () => {
    page = await openPage(asked.url)
  })
  const { shown } = await step('says who they are, how much, and agrees', async () => {
    await page.introduce()
    await page.enter(deposit.in)
    await page.choose()
    return { shown: await page.agree(), note: 'KYC, amount, method, summary' }
  })
  checks.equal('the deposit’s amount_out on the page', shown.amountOut, deposit.out)
  const reference = shown.instructions.find((i) => i.name === 'reference')?.value
  if (!reference) throw new Error('the page shows no reference to pay with')

  await step('sends the money at the bank', async () => {
    await page.markSent()
    await bank.transfer({ amount: deposit.in, reference })
    return { note: `reference ${reference}` }
  })
  let done
  await step('the anchor pays on the ledger', async () => {
    done = await follower.until((t) => t.status === 'completed')
    return { hash: done.stellar_transaction_id }
  })
  expect(done, deposit, follower)
  return done
}

async function makeWithdrawal(wallet) {
  let asked, page, follower
  await step('the wallet asks for a withdrawal (SEP-24)', async () => {
    asked = await wallet.start('withdrawal')
    follower = wallet.follow(asked.id, { check: checks.arithmetic })
    return { note: asked.id }
  })
  await step('the customer opens the page', async () => {
    page = await openPage(asked.url)
  })
  await step('says how much, where to, and agrees', async () => {
    await page.introduce()
    await page.enter(withdrawal.in)
    await page.choose()
    await page.agree()
    return { note: 'amount, method, bank account, summary' }
  })
  let payment
  await step('the wallet pays with the memo', async () => {
    const waiting = await follower.until((t) => t.status === 'pending_user_transfer_start')
    payment = await wallet.pay(waiting)
    return { hash: payment }
  })
  let done
  await step('the bank pays the customer', async () => {
    done = await follower.until((t) => t.status === 'completed')
    return { note: done.external_transaction_id ?? '' }
  })
  expect(done, withdrawal, follower)
  if (done.stellar_transaction_id !== payment) throw new Error(`stellar_transaction_id is ${done.stellar_transaction_id}, but the wallet paid with ${payment}`)
  return done
}

function expect(transaction, want, follower) {
  checks.equal(`the ${transaction.kind}’s amount_in`, transaction.amount_in, want.in)
  checks.equal(`the ${transaction.kind}’s amount_fee`, transaction.amount_fee, want.fee)
  checks.equal(`the ${transaction.kind}’s amount_out`, transaction.amount_out, want.out)
  console.log(`  ${`the wallet polled ${follower.polls} times and saw`.padEnd(44)} ${''.padStart(8)}  ${follower.statuses.join(' → ')}`)
}

/** The ledger, the bank and the transactions must tell the same story. */
async function audit(wallet, bank, opening, bought, sold) {
  const { asset, address } = wallet
  const distribution = sold.withdraw_anchor_account

  const customer = await checks.balance(anchor.horizon, address, asset)
  checks.equal('the customer’s balance', customer, decimal(stroops(deposit.out) - stroops(withdrawal.in)))
  checks.equal('the sum of the customer’s payments', checks.sum(await checks.payments(anchor.horizon, address, asset), address), customer)

  const records = await checks.payments(anchor.horizon, distribution, asset)
  checks.onePayment(records, { hash: bought.stellar_transaction_id, from: distribution, to: address, amount: deposit.out })
  checks.onePayment(records, { hash: sold.stellar_transaction_id, from: address, to: distribution, amount: withdrawal.in })
  const held = await checks.balance(anchor.horizon, distribution, asset)
  checks.equal('the distribution account’s balance', held, checks.sum(records, distribution))

  const statement = await bank.statement()
  checks.oneLine(statement, 'in', deposit.in)
  checks.oneLine(statement, 'out', withdrawal.out)
  checks.equal('the bank’s balance', statement.balance, decimal(stroops(opening.balance) + stroops(deposit.in) - stroops(withdrawal.out)))
  return { note: `customer ${decimal(stroops(customer))} ${asset.code}, bank ${decimal(stroops(statement.balance))} ${statement.currency}` }
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await anchor?.close()
    process.exit(130)
  })
}

try {
  await run()
} catch (problem) {
  console.error(`\nThe demo failed: ${problem.message}`)
  if (anchor) console.error(`\nThe last the server said:\n${anchor.tail()}`)
  process.exitCode = 1
} finally {
  await anchor?.close()
}
