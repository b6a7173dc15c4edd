// What restless hands do to a page: press twice, go back and forth, reload, open it
// again in another tab. Nothing happens twice, nothing is lost, nothing is a dead end.

import assert from 'node:assert/strict'
import { phone } from '../browser.mjs'
import { AnchorPage } from '../pages.mjs'
import { changes, enterDeposit, enterWithdrawal, readyWallet, transfer } from '../walks.mjs'
import { figure, words } from '../words.mjs'

const t = words('en')

/**
 * Presses a button twice as fast as a hand does, where the second press comes
 * when the next screen is there already, in the same place.
 */
async function pressTwice(button, next) {
  const page = button.page()
  await button.click({ trial: true }) // in sight, and no longer moving
  const { x, y, width, height } = await button.boundingBox()
  await button.click()
  await next.waitFor()
  await page.mouse.move(x + width / 2, y + height / 2)
  await page.mouse.down({ clickCount: 2 })
  await page.mouse.up({ clickCount: 2 })
}

/** Taps the button that agrees as soon as it is there, as a thumb would that meant the one before it. */
const tapTooSoon = (page, name) =>
  page.evaluate((name) => {
    const watch = new MutationObserver(() => {
      const button = [...document.querySelectorAll('form button.primary')].find(({ textContent }) => textContent === name)
      if (!button) return
      watch.disconnect()
      button.dispatchEvent(new MouseEvent('click', { detail: 1, bubbles: true, cancelable: true }))
      window.tapped = true
    })
    watch.observe(document, { childList: true, subtree: true })
  }, name)

const noObjection = async (page) => assert.deepEqual((await page.getByRole('alert').allTextContents()).filter((text) => text.trim()), [])

/** A deposit to its end and a withdrawal called off, with each button pressed in a way that asks for more than one press. */
async function twice({ visitor, anchor }, way) {
  const press = async (button, next) => {
    await way(button, next)
    await next.waitFor()
  }
  const wallet = await readyWallet(anchor)
  const made = changes(visitor)

  const deposit = await wallet.start('deposit')
  const page = new AnchorPage(await visitor.open(deposit.url), t)
  await page.who()
  await press(page.button('page.continue'), page.heading(t('page.amount.deposit')))
  await page.amount('deposit', '100', '98.50', 'USDW')
  await tapTooSoon(page.page, t('page.agree.deposit'))
  const method = page.heading(t('page.method.deposit'))
  const summary = page.heading(t('page.summary'))
  await press(page.button('page.continue'), method.or(summary))
  if (await method.isVisible()) {
    await page.answer()
    await press(page.button('page.continue'), summary)
  }
  assert.ok(await page.page.evaluate(() => window.tapped))
  await summary.waitFor()
  assert.ok(!made.includes('agree'))
  await press(page.button('page.agree.deposit'), page.button('page.sent'))
  await noObjection(page.page)
  await press(page.button('page.sent'), page.heading(t('page.heading.awaiting.deposit')))
  await noObjection(page.page)
  assert.deepEqual(made.splice(0), ['answer', 'setAmount', 'chooseMethod', 'agree', 'markSent'])
  await page.page.getByText(t('page.bank_details')).click()
  await transfer(anchor, page)
  await page.heading(t('page.heading.completed.deposit')).waitFor()

  // Called off by a double press, once, and not before it was confirmed.
  const out = await wallet.start('withdrawal')
  const other = new AnchorPage(await visitor.open(out.url), t)
  await enterWithdrawal(other, { newcomer: false })
  const cancel = other.button('page.cancel.withdrawal')
  const confirm = other.button('page.cancel.withdrawal.confirm')
  await cancel.waitFor()
  made.length = 0
  await press(cancel, confirm)
  await press(confirm, other.heading(t('page.heading.cancelled')))
  await noObjection(other.page)
  assert.deepEqual(made, ['cancel'])
}

export const scenarios = {
  'every button pressed twice at once': (story) => twice(story, (button) => button.dblclick()),

  'every button pressed twice, the second time on what came': (story) => twice(story, pressTwice),

  async 'back, forth and reload on every screen'({ visitor, anchor, look }) {
    const wallet = await readyWallet(anchor)
    const { url } = await wallet.start('deposit')
    const tab = await visitor.open(new URL('/bank', anchor.public).href)
    await tab.goto(url)
    const page = new AnchorPage(tab, t)
    const sending = tab.getByRole('textbox', { name: t('page.you_send') })
    const name = tab.getByRole('textbox', { name: t('field.first_name') })

    await page.who()
    // Away from the page and back to it.
    await tab.goBack()
    await tab.getByRole('heading', { name: 'Statement' }).waitFor()
    await tab.goForward()
    await page.who()
    await page.press('page.continue')

    await page.heading(t('page.amount.deposit')).waitFor()
    await sending.fill('250')
    await tab.reload()
    await page.heading(t('page.amount.deposit')).waitFor()
    assert.equal(await sending.inputValue(), '250')
    await tab.goBack()
    await page.heading(t('page.who')).waitFor()
    assert.equal(await name.inputValue(), 'Alex')
    await tab.reload()
    await page.heading(t('page.who')).waitFor()
    assert.equal(await name.inputValue(), 'Alex')
    await tab.goForward()
    await page.amount('deposit', '100', '98.50', 'USDW')
    await page.press('page.continue')

    await page.heading(t('page.summary')).waitFor()
    await tab.reload()
    await page.heading(t('page.summary')).waitFor()
    await tab.goBack()
    await page.heading(t('page.amount.deposit')).waitFor()
    await tab.getByText(figure('98.50', 'USDW')).waitFor()
    await tab.reload()
    await page.heading(t('page.amount.deposit')).waitFor()
    assert.equal(await sending.inputValue(), '100')
    await tab.goForward()
    await page.heading(t('page.summary')).waitFor()
    await page.press('page.agree.deposit')

    // What is agreed to is not gone back from, however often.
    await page.button('page.sent').waitFor()
    for (const move of ['reload', 'goBack', 'goBack', 'goForward', 'reload', 'goForward']) {
      await tab[move]()
      await page.button('page.sent').waitFor()
    }
    await look(tab, 'pay-gone-back-from')
    await page.press('page.sent')
    await page.heading(t('page.heading.awaiting.deposit')).waitFor()
    await tab.reload()
    await page.heading(t('page.heading.awaiting.deposit')).waitFor()
  },

  async 'two tabs on one transaction'({ visitor, anchor, look }) {
    visitor.expect(/status of 409/)
    const wallet = await readyWallet(anchor)
    const { id, url } = await wallet.start('deposit')
    const first = new AnchorPage(await visitor.open(url), t)
    await first.who()
    await first.press('page.continue')
    await first.heading(t('page.amount.deposit')).waitFor()

    // The second is let in by the first one's cookie, and goes on where that is.
    const second = new AnchorPage(await visitor.open(new URL(`/interactive/${id}`, anchor.public).href), t)
    await enterDeposit(second, { newcomer: false })

    // What the first would still change is agreed to: it says so and shows it.
    await first.amount('deposit', '200', '198.00', 'USDW')
    await first.press('page.continue')
    await first.button('page.sent').waitFor()
    await first.page.getByText(t('error.already_agreed')).or(first.page.getByText(t('error.state_refused'))).waitFor()
    await look(first.page, 'agreed-in-another-tab')
    await first.heading(t('page.pay', { amount: '100.00\u00a0USD' })).waitFor()

    // Once others move it, both follow by themselves.
    await first.press('page.sent')
    await second.heading(t('page.heading.awaiting.deposit')).waitFor()
    await second.page.getByText(t('page.bank_details')).click()
    await transfer(anchor, second)
    for (const page of [first, second]) await page.heading(t('page.heading.completed.deposit')).waitFor()
  },

  async 'two transactions side by side'({ visitor, anchor }) {
    const wallet = await readyWallet(anchor)
    const pages = []
    for (const kind of ['deposit', 'deposit']) pages.push(new AnchorPage(await visitor.open((await wallet.start(kind)).url), t))
    const [one, two] = pages
    await one.who()
    await one.press('page.continue')
    await one.amount('deposit', '100', '98.50', 'USDW')
    // The other one has asked already who its customer is, and finds the answers by now.
    await two.page.reload()
    await two.heading(t('page.who')).waitFor()
    assert.equal(await two.page.getByRole('textbox', { name: t('field.first_name') }).inputValue(), 'Alex')
    await two.press('page.continue')
    await two.amount('deposit', '200', '198.00', 'USDW')
    for (const page of [one, two]) await page.press('page.continue')
    for (const page of [two, one]) await page.summary('deposit')
    for (const page of [one, two]) await page.press('page.agree.deposit')
    for (const page of [one, two]) await page.button('page.sent').waitFor()
    assert.notEqual(await one.instruction('reference'), await two.instruction('reference'))
    await transfer(anchor, two, '200')
    await two.heading(t('page.heading.completed.deposit')).waitFor()
    await one.button('page.sent').waitFor()
    await transfer(anchor, one)
    await one.heading(t('page.heading.completed.deposit')).waitFor()
  },

  async 'a session that has ended is had again'({ visitor, anchor, look }) {
    visitor.expect(/status of 401/)
    const wallet = await readyWallet(anchor)
    const { id, url } = await wallet.start('deposit')
    const page = new AnchorPage(await visitor.open(url), t)
    const end = async (tab) => {
      await visitor.context.clearCookies()
      await tab.evaluate(() => sessionStorage.clear())
    }
    await page.who()
    await page.press('page.continue')
    await page.heading(t('page.amount.deposit')).waitFor()
    await end(page.page)
    await page.amount('deposit', '100', '', '').catch(() => {})
    await page.press('page.continue')
    await page.heading(t('page.ended')).waitFor()
    await page.page.getByText(t('page.ended.how')).waitFor()
    await look(page.page, 'ended')

    // The wallet's history leads back to where it was.
    const again = new AnchorPage(await visitor.open((await wallet.transaction(id)).more_info_url), t)
    await again.heading(t('page.amount.deposit')).waitFor()
    await enterDeposit(again, { newcomer: false })

    // While waiting, too; and what was opened twice already says so.
    await end(again.page)
    await again.press('page.sent')
    await again.heading(t('page.ended')).waitFor()
    await look(again.page, 'ended-while-paying')
    const used = new AnchorPage(await visitor.open(url), t)
    await used.heading(t('page.ended')).waitFor()
    await used.page.getByText(t('error.token_used')).waitFor()
    await look(used.page, 'token-used')
    const last = new AnchorPage(await visitor.open((await wallet.transaction(id)).more_info_url), t)
    await last.button('page.sent').waitFor()
    await transfer(anchor, last)
    await last.heading(t('page.heading.completed.deposit')).waitFor()
  },
}

export const settings = {
  'every button pressed twice, the second time on what came': { device: phone },
  'back, forth and reload on every screen': { device: phone },
  'a session that has ended is had again': { device: phone },
}
