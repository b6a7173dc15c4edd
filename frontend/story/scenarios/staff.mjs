// Staff at the playground, and what customers see of their work.

import assert from 'node:assert/strict'
import { openWallet } from '../../demo/wallet.mjs'
import { desktop } from '../browser.mjs'
import { BankPage, PlaygroundPage, WalletPage } from '../pages.mjs'
import { depositUpToPaying, payAndArrive, withdraw } from '../walks.mjs'
import { words } from '../words.mjs'

export const scenarios = {
  async 'staff sign in and find both transactions'({ visitor, anchor, look }) {
    visitor.expect(/status of 401/)
    const t = words('en')
    const wallet = await WalletPage.open(visitor, anchor)
    await wallet.createAccount()
    const page = await depositUpToPaying(visitor, wallet, t, async () => {})
    await payAndArrive(visitor, anchor, wallet, await page.instruction('reference'))
    await withdraw(visitor, wallet, t, async () => {})
    await wallet.transaction('Withdrawal', 'completed').waitFor()
    const account = await wallet.account()

    // Without a session the playground leads to the sign-in.
    const playground = new URL('/playground', anchor.admin).href
    const staff = await visitor.open(playground)
    assert.equal(new URL(staff.url()).pathname, '/signin')
    await staff.getByRole('heading', { name: 'Sign in', level: 1 }).waitFor()
    await look(staff, 'sign-in-without-a-link')

    await staff.goto(anchor.signIn)
    await staff.getByText('You are signing in as developer.').waitFor()
    await look(staff, 'sign-in')
    await staff.getByRole('button', { name: 'Sign in' }).click()
    await staff.waitForURL(playground)

    const queries = new PlaygroundPage(staff)
    const theirs = (kind) => (t) => t.kind === kind && t.status === 'completed' && t.account === account
    await queries.runUntil('TransactionsList', `the transactions of ${account}`, (data) => {
      const nodes = data?.transactions.nodes ?? []
      return nodes.some(theirs('withdrawal')) && nodes.some(theirs('deposit'))
    })
    await queries.shows(/"transactions": {/)
    // No look: what axe finds in GraphiQL is GraphiQL's.
    await visitor.picture(staff, 'playground')

    // The link works once, and the customers' listener knows no staff.
    const again = await visitor.open(anchor.signIn)
    await again.getByRole('button', { name: 'Sign in' }).click()
    await again.getByRole('heading', { name: 'This link no longer works', level: 1 }).waitFor()
    await look(again, 'sign-in-used')
    const refused = await staff.context().request.post(new URL('/graphql', anchor.public).href, {
      headers: { Origin: anchor.public },
      data: { query: '{ transactions { nodes { kind } } }' },
    })
    const { data, errors } = await refused.json()
    assert.equal(data, null)
    assert.equal(errors[0].extensions.code, 'UNAUTHENTICATED')
  },

  async 'staff give stray money to whom it belongs'({ visitor, anchor }) {
    const t = words('en')
    const wallet = await WalletPage.open(visitor, anchor)
    await wallet.createAccount()
    const page = await depositUpToPaying(visitor, wallet, t, async () => {})
    await page.instruction('reference')
    const id = new URL(page.page.url()).pathname.split('/').at(-1)

    // A transfer with another reference, and lumens without a memo.
    const bank = await BankPage.open(visitor, anchor, '#amount=100&reference=RENT')
    await bank.send({})
    await bank.line('+100.00 USD', 'RENT').waitFor()
    const stranger = await openWallet({ anchorUrl: anchor.public, horizon: anchor.horizon })
    await stranger.fund()
    await stranger.sendLumens(stranger.toml.accounts[0], '25')

    const staff = await visitor.open(await anchor.signInAs('Ida'))
    await staff.getByRole('button', { name: 'Sign in' }).click()
    await staff.waitForURL(new URL('/playground', anchor.admin).href)
    const queries = new PlaygroundPage(staff)
    const { id: line } = await queries.runUntil('UnmatchedMoney', 'the credit for RENT', (data) => data?.bankLines.nodes.find((l) => l.reference === 'RENT'))
    const { id: payment } = await queries.runUntil('UnmatchedMoney', 'the lumens', (data) =>
      data?.payments.nodes.find((p) => p.from === stranger.address && p.amount === '25'),
    )
    await visitor.picture(staff, 'unmatched')

    // One goes back; pressed twice, it goes back once; another wish needs another key.
    const back = (key) => queries.paste('SendBack', `mutation SendBack { refundPayment(payment: "${payment}", key: "${key}") { state refund { amount } } }`)
    await back('ticket-1')
    await queries.shows(/"amount": "25"/)
    await back('ticket-1')
    await queries.shows(/"amount": "25"/)
    await back('ticket-2')
    await queries.shows(/this money is refund(ing|ed) already/)
    await visitor.picture(staff, 'refused')

    // The other finds its deposit, which goes on by itself.
    const give = (key) => queries.paste('GiveToDeposit', `mutation GiveToDeposit { assignBankLine(line: "${line}", transaction: "${id}", key: "${key}", note: "by name and amount") { status amountOut } }`)
    await give('ticket-1')
    await queries.shows(/this key was used for something else already/)
    await give('ticket-3')
    await queries.shows(/"amountOut": "98.5"/)
    await visitor.picture(staff, 'assigned')
    await wallet.balance('98.50', 'USDW')
    await page.heading(t('page.heading.completed.deposit')).waitFor()

    const horizon = `${anchor.horizon}/accounts/${stranger.address}/payments?order=desc&limit=1`
    for (let newest = {}; newest.to !== stranger.address || newest.amount !== '25.0000000'; await staff.waitForTimeout(250)) {
      newest = (await (await fetch(horizon)).json())._embedded.records[0]
    }
  },
}

export const settings = {
  'staff sign in and find both transactions': { device: desktop },
  'staff give stray money to whom it belongs': { device: desktop },
}
