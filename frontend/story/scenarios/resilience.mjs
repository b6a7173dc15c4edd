// Nothing is lost and nothing happens twice, whatever fails.

import assert from 'node:assert/strict'
import { openBank } from '../../demo/bank.mjs'
import { openWallet } from '../../demo/wallet.mjs'
import { brand } from '../anchors.mjs'
import { desktop, phone, throttle } from '../browser.mjs'
import { AnchorPage } from '../pages.mjs'
import { changes, readyWallet, transfer } from '../walks.mjs'
import { figure, words } from '../words.mjs'

const t = words('en')

export const scenarios = {
  async 'a part of the page that does not come is had again'({ visitor, anchor, look }) {
    visitor.expect(/net::ERR_(FAILED|INTERNET_DISCONNECTED)|Failed to fetch dynamically imported/)
    const wallet = await openWallet({ anchorUrl: anchor.public, horizon: anchor.horizon })
    await wallet.signIn()
    const { url } = await wallet.start('deposit')
    const tab = await visitor.open('about:blank')
    const parts = /assets\/Summary-.*\.(js|css)$/
    const [spanish, codes] = [/assets\/es-.*\.js$/, /assets\/dist-.*\.js$/] // what draws codes is a folder dist
    for (const part of [parts, spanish, codes]) await tab.route(part, (route) => route.abort())
    await tab.goto(url)
    const page = new AnchorPage(tab, t)
    await page.who()
    // Another language: what is typed stays, whether it comes or not.
    const name = tab.getByRole('textbox', { name: t('field.first_name') })
    await name.fill('Aurelia')
    const menu = tab.getByRole('combobox', { name: t('page.language') })
    await menu.selectOption('es')
    const objection = tab.getByRole('alert').getByText(t('page.error.unreachable'))
    await objection.waitFor()
    assert.deepEqual([await menu.inputValue(), await name.inputValue()], ['en', 'Aurelia'])
    await look(tab, 'a-language-that-does-not-come')
    await tab.unroute(spanish)
    await menu.selectOption('es')
    await tab.getByRole('heading', { name: words('es')('page.who') }).waitFor()
    assert.equal(await tab.getByRole('textbox', { name: words('es')('field.first_name') }).inputValue(), 'Aurelia')
    await tab.getByRole('combobox', { name: words('es')('page.language') }).selectOption('en')
    await page.press('page.continue')
    await page.amount('deposit', '100', '98.50', 'USDW')
    await page.press('page.continue')
    await page.heading(t('page.opening')).waitFor()
    // Offline it waits: a webview would show its own error in the page's place.
    await visitor.context.setOffline(true)
    await tab.getByText(t('page.offline')).waitFor()
    await tab.getByText(t('page.loading')).waitFor()
    await look(tab, 'waiting-for-a-part')
    await tab.unroute(parts)
    await visitor.context.setOffline(false)
    await page.heading(t('page.summary')).waitFor()
    await page.press('page.agree.deposit')
    await tab.getByRole('button', { name: t('page.sent'), exact: true }).waitFor()
    // A code to scan is asked for again in its place.
    await objection.waitFor()
    await look(tab, 'no-code-to-scan')
    await tab.unroute(codes)
    await page.press('page.try_again')
    await tab.getByRole('img', { name: t('page.pay.qr') }).waitFor()
    assert.equal(await objection.count(), 0)
  },

  async 'a deposit at 50 kbit/s'({ visitor, anchor, look }) {
    const wallet = await readyWallet(anchor)
    const { url } = await wallet.start('deposit')
    const tab = await visitor.open('about:blank')
    const made = changes(visitor)
    await throttle(tab, 50_000, 2000)
    const page = new AnchorPage(tab, t)
    const opened = tab.goto(url)
    // The brand is there before anything else has come.
    await tab.getByText(brand.WINDLASS_BRAND_NAME).waitFor()
    await opened
    await page.who()
    const slowly = async (press, says) => {
      await press
      await tab.getByRole('button', { name: t(says) }).waitFor()
    }
    await slowly(page.button('page.continue').dblclick(), 'page.saving')
    await page.amount('deposit', '100', '98.50', 'USDW')
    await slowly(page.press('page.continue'), 'page.saving')
    await page.heading(t('page.summary')).waitFor()
    await slowly(page.press('page.agree.deposit'), 'page.confirming')
    await page.button('page.sent').waitFor()
    await look(tab, 'pay-slowly')
    assert.deepEqual(made, ['answer', 'setAmount', 'chooseMethod', 'agree'])
    await transfer(anchor, page)
    await page.heading(t('page.heading.completed.deposit')).waitFor()
  },

  async 'offline and back, with what was typed'({ visitor, anchor, look }) {
    visitor.expect(/net::ERR_(FAILED|INTERNET_DISCONNECTED|CONNECTION_\w+)|status of 409/)
    const wallet = await readyWallet(anchor)
    const { url } = await wallet.start('deposit')
    const tab = await visitor.open(url)
    const page = new AnchorPage(tab, t)
    const offline = tab.getByText(t('page.offline'))
    const away = async (yes) => {
      await visitor.context.setOffline(yes)
      await offline.waitFor({ state: yes ? 'visible' : 'hidden' })
    }
    const objects = tab.getByRole('alert').getByText(t('page.error.unreachable'))

    // Typing.
    await page.who()
    await away(true)
    await page.press('page.continue')
    await objects.waitFor()
    await look(tab, 'who-offline')
    await away(false)
    await page.press('page.continue')
    await page.heading(t('page.amount.deposit')).waitFor()
    await away(true)
    const sending = tab.getByRole('textbox', { name: t('page.you_send') })
    await sending.fill('100')
    await page.press('page.continue')
    await objects.waitFor()
    await look(tab, 'amount-offline')
    await away(false)
    assert.equal(await sending.inputValue(), '100')
    await tab.getByText(figure('98.50', 'USDW')).waitFor()
    await page.press('page.continue')
    await page.heading(t('page.summary')).waitFor()

    // The answer is lost, not the request: asked again, it has happened once.
    const lose = async (route) => {
      if (!route.request().postData().includes('agree(')) return route.continue()
      await route.fetch()
      await route.abort()
    }
    await tab.route('**/graphql', lose)
    await page.press('page.agree.deposit')
    await objects.waitFor()
    await tab.unroute('**/graphql', lose)
    await page.press('page.agree.deposit')
    await page.button('page.sent').waitFor()
    await look(tab, 'pay-after-a-lost-answer')

    // Waiting: the money comes meanwhile.
    const reference = await page.instruction('reference')
    await page.press('page.sent')
    await page.heading(t('page.heading.awaiting.deposit')).waitFor()
    await away(true)
    await look(tab, 'waiting-offline')
    await openBank(anchor.public).transfer({ amount: '100', reference })
    await away(false)
    await page.heading(t('page.heading.completed.deposit')).waitFor()
  },

  async 'the server is started again in the middle'({ visitor, anchor, look }) {
    visitor.expect(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING/)
    const wallet = await readyWallet(anchor)
    const { url } = await wallet.start('deposit')
    const tab = await visitor.open(url)
    const page = new AnchorPage(tab, t)
    const made = changes(visitor)
    await page.who()
    await page.press('page.continue')
    await page.amount('deposit', '100', '98.50', 'USDW')
    await anchor.kill()
    await page.press('page.continue')
    await tab.getByRole('alert').getByText(t('page.error.unreachable')).waitFor()
    await look(tab, 'server-gone')
    await anchor.start()
    await page.press('page.continue')
    await page.heading(t('page.summary')).waitFor()
    await page.press('page.agree.deposit')
    await page.press('page.sent')
    const waiting = page.heading(t('page.heading.awaiting.deposit'))
    await waiting.waitFor()
    assert.deepEqual(made, ['answer', 'setAmount', 'setAmount', 'chooseMethod', 'agree', 'markSent'])

    // It waits, and goes on by itself.
    await anchor.kill()
    await tab.getByText(t('page.offline')).waitFor()
    await look(tab, 'waiting-for-the-server')
    await anchor.start()
    await tab.getByText(t('page.offline')).waitFor({ state: 'hidden' })
    await waiting.waitFor()
    await tab.getByText(t('page.bank_details')).click()
    await transfer(anchor, page)
    await page.heading(t('page.heading.completed.deposit')).waitFor()
  },
}

export const settings = {
  // Where a code to scan is not folded away.
  'a part of the page that does not come is had again': { device: desktop },
  'a deposit at 50 kbit/s': { device: phone },
  'offline and back, with what was typed': { device: phone },
  'the server is started again in the middle': { device: phone, env: {} },
}
