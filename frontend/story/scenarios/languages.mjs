// The same in other languages.

import assert from 'node:assert/strict'
import { phone } from '../browser.mjs'
import { WalletPage } from '../pages.mjs'
import { depositUpToPaying, payAndArrive } from '../walks.mjs'
import { words } from '../words.mjs'

export const scenarios = {
  async 'a deposit in Spanish, on a phone'({ visitor, anchor, look }) {
    const t = words('es')
    const wallet = await WalletPage.open(visitor, anchor)
    await wallet.createAccount()
    await wallet.speak('Español')
    const page = await depositUpToPaying(visitor, wallet, t, look)
    assert.equal(await page.page.locator('html').getAttribute('lang'), 'es')
    await payAndArrive(visitor, anchor, wallet, await page.instruction('reference'))
    await page.heading(t('page.heading.completed.deposit')).waitFor()
    await look(page.page, 'deposit-completed')
    // The anchor's sentences in the wallet are in the chosen language too.
    await wallet.page.getByRole('status').getByText(t.like('status.deposit.completed')).waitFor()
  },

  async 'a deposit in Arabic, on a phone'({ visitor, anchor, look }) {
    const t = words('ar')
    const wallet = await WalletPage.open(visitor, anchor)
    await wallet.createAccount()
    await wallet.speak('العربية')
    const page = await depositUpToPaying(visitor, wallet, t, look)
    assert.equal(await page.page.locator('html').getAttribute('lang'), 'ar')
    assert.equal(await page.page.locator('html').getAttribute('dir'), 'rtl')
    await payAndArrive(visitor, anchor, wallet, await page.instruction('reference'))
    await page.heading(t('page.heading.completed.deposit')).waitFor()
    await look(page.page, 'deposit-completed')
    // The anchor's sentences in the wallet are in the chosen language too.
    await wallet.page.getByRole('status').getByText(t.like('status.deposit.completed')).waitFor()
  },
}

export const settings = {
  'a deposit in Spanish, on a phone': { device: phone, lang: 'es' },
  'a deposit in Arabic, on a phone': { device: phone, lang: 'ar' },
}
