// The whole road in every other language: in on a phone, out on a computer.

import assert from 'node:assert/strict'
import { desktop, phone } from '../browser.mjs'
import { WalletPage } from '../pages.mjs'
import { copies, depositUpToPaying, payAndArrive, withdraw } from '../walks.mjs'
import { words } from '../words.mjs'

const languages = { es: 'Español', pt: 'Português', fr: 'Français', id: 'Indonesia', ar: 'العربية' }

async function spoken({ visitor, anchor, look }, lang, name) {
  const t = words(lang)
  const wallet = await WalletPage.open(visitor, anchor)
  await wallet.createAccount()
  await wallet.speak(name)
  const page = await depositUpToPaying(visitor, wallet, t, look)
  assert.equal(await page.page.locator('html').getAttribute('lang'), lang)
  assert.equal(await page.page.locator('html').getAttribute('dir'), lang === 'ar' ? 'rtl' : 'ltr')
  const reference = await page.instruction('reference')
  // What is copied is what the bank takes, with nothing that nobody sees.
  await visitor.context.grantPermissions(['clipboard-read', 'clipboard-write'])
  for (const [name, value] of [['amount', '100.00'], ['reference', reference]]) {
    const button = page.page.getByRole('button', { name: t(`instruction.${name}`) })
    await copies(page.page, () => button.click(), value)
    await button.getByText(t('page.copied')).waitFor()
  }
  assert.match(reference, /^[!-~]+$/)
  await payAndArrive(visitor, anchor, wallet, reference)
  await page.heading(t('page.heading.completed.deposit')).waitFor()
  await look(page.page, 'deposit-completed')
  // The anchor's sentences in the wallet are in the chosen language too.
  await wallet.page.getByRole('status').getByText(t.like('status.deposit.completed')).waitFor()

  const onComputer = async (out, screen) => {
    await out.setViewportSize(desktop.viewport)
    await look(out, screen)
  }
  const out = await withdraw(visitor, wallet, t, onComputer)
  await out.heading(t('page.heading.completed.withdrawal')).waitFor()
  await look(out.page, 'withdrawal-completed')
}

const title = (name) => `in and out in ${name}`

export const scenarios = Object.fromEntries(Object.entries(languages).map(([lang, name]) => [title(name), (story) => spoken(story, lang, name)]))

export const settings = Object.fromEntries(Object.entries(languages).map(([lang, name]) => [title(name), { device: phone, lang }]))
