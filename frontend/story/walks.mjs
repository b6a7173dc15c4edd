// What people do in many stories, each a stretch of the way.

import assert from 'node:assert/strict'
import { openBank } from '../demo/bank.mjs'
import { openWallet } from '../demo/wallet.mjs'
import { AnchorPage, BankPage } from './pages.mjs'

/** From an empty browser to the deposit's payment details. */
export async function depositUpToPaying(visitor, wallet, t, look) {
  const page = new AnchorPage(await visitor.popup(() => wallet.button('Deposit').click()), t)
  await enterDeposit(page, { look })
  return page
}

/** A deposit from a bare page to its payment details. Who is known is not asked who they are. */
export async function enterDeposit(page, { newcomer = true, look = async () => {} } = {}) {
  const { t } = page
  if (newcomer) {
    await page.heading(t('page.who')).waitFor()
    assert.ok(!page.page.url().includes('token='), 'the token must leave the address bar')
    await look(page.page, 'who')
    await page.who()
    await page.press('page.continue')
  }
  await page.amount('deposit', '100', '98.50', 'USDW')
  await look(page.page, 'amount')
  await page.press('page.continue')
  await page.summary('deposit', () => look(page.page, 'method'))
  await look(page.page, 'summary')
  await page.press('page.agree.deposit')
  await page.button('page.sent').waitFor()
  await look(page.page, 'pay')
}

/** A wallet without a page, whose customer has an account that is ready and signed in. */
export async function readyWallet(anchor) {
  const wallet = await openWallet({ anchorUrl: anchor.public, horizon: anchor.horizon })
  await wallet.fund()
  await wallet.trust()
  await wallet.signIn()
  return wallet
}

/** The bank transfer that a deposit's page asks for. */
export async function transfer(anchor, page, amount = '100') {
  await openBank(anchor.public).transfer({ amount, reference: await page.instruction('reference') })
}

/** Sends the money and waits until it has arrived, without touching the wallet. */
export async function payAndArrive(visitor, anchor, wallet, reference) {
  const bank = await BankPage.open(visitor, anchor, `#amount=100&reference=${encodeURIComponent(reference)}`)
  await bank.send({})
  await bank.page.getByRole('status').getByText('Sent 100.00 USD').waitFor()
  await bank.line('+100.00 USD', reference).waitFor()
  await wallet.balance('98.50', 'USDW')
  return bank
}

/** The withdrawal's page from the amount to the customer's yes; the wallet pays by itself. The customer is known by now. */
export async function withdraw(visitor, wallet, t, look) {
  const popup = await visitor.popup(() => wallet.button('Withdraw').click())
  const page = new AnchorPage(popup, t)
  await page.amount('withdrawal', '50', '47.75', 'USD')
  await look(popup, 'withdrawal-amount')
  await page.press('page.continue')
  await page.summary('withdrawal', () => look(popup, 'withdrawal-method'))
  await look(popup, 'withdrawal-summary')
  await page.press('page.agree.withdrawal')
  return page
}

/** A withdrawal from a bare page to the customer's yes. A newcomer is asked who they are. */
export async function enterWithdrawal(page, { newcomer }) {
  if (newcomer) {
    await page.who()
    await page.press('page.continue')
  }
  await page.amount('withdrawal', '50', '47.75', 'USD')
  await page.press('page.continue')
  await page.summary('withdrawal')
  await page.press('page.agree.withdrawal')
}

/** Where a page wants to go, as the browser is asked: no app is installed that would open. */
export async function wishes(page) {
  const all = []
  const browser = await page.context().newCDPSession(page)
  browser.on('Page.frameRequestedNavigation', ({ url }) => all.push(url))
  await browser.send('Page.enable')
  return all
}

/** Presses what copies a value. All visitors share one clipboard: another may copy in between. */
export async function copies(page, press, value) {
  let read
  for (let tries = 0; read !== value && tries < 5; tries++) {
    await press()
    read = await page.evaluate(() => navigator.clipboard.readText())
  }
  assert.equal(read, value)
}

/** Waits until something holds that no element of a page shows. */
export async function until(page, holds, what) {
  for (const end = Date.now() + 30_000; !holds(); await page.waitForTimeout(50)) assert.ok(Date.now() < end, what())
}

/** The changes that pages ask the server for, by name. */
export function changes(visitor) {
  const names = []
  visitor.context.on('request', (request) => {
    const name = /^mutation (\w+)/.exec(request.postDataJSON()?.query ?? '')?.[1]
    if (name) names.push(name)
  })
  return names
}
