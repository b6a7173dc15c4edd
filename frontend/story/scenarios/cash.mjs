// Money that is collected at a desk.

import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { phone } from '../browser.mjs'
import { AnchorPage, BankPage, WalletPage } from '../pages.mjs'
import { words } from '../words.mjs'

const address = 'cash.collector@example.org'

/** The e-mail to who collects, under this subject, once it is written. */
async function letter(anchor, subject) {
  const dir = join(anchor.dir, 'mail')
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await pause(100)) {
    for (const file of await readdir(dir).catch(() => [])) {
      const text = (await readFile(join(dir, file), 'utf8')).replaceAll(/=\r?\n/g, '')
      if (text.includes(address) && text.includes(`Subject: ${subject}`)) return text
    }
  }
  throw new Error(`Nobody wrote “${subject}”`)
}

/** Pays for cash, less a fee of 2, from a wallet: the page of who collects it, once it lies ready. */
async function ready(visitor, wallet, t, amount, beforePaying = async () => {}) {
  await wallet.createAccount()
  await wallet.page.getByLabel('What to deposit and withdraw').selectOption('XLM')
  const page = new AnchorPage(await visitor.popup(() => wallet.button('Withdraw').click()), t)
  await page.who()
  await page.page.locator('#email_address').fill(address)
  await page.press('page.continue')
  await page.amount('withdrawal', `${amount}`, `${amount - 2}.00`, 'USD')
  await page.press('page.continue')
  await page.summary('withdrawal', async () => {
    await page.method('cash').check()
    await beforePaying(page.page)
  })
  await page.press('page.agree.withdrawal')
  await page.heading(t('page.heading.pickup')).waitFor()
  return page
}

export const scenarios = {
  async 'a withdrawal is collected in cash, on a phone'({ visitor, anchor, look }) {
    const t = words('en')
    const wallet = await WalletPage.open(visitor, anchor)
    const page = await ready(visitor, wallet, t, 50, (tab) => look(tab, 'cash-method'))

    // The wallet has paid; who collects has a code, and still has it after a reload.
    await page.page.getByRole('term').filter({ hasText: t('page.pickup.code') }).waitFor()
    await page.page.getByText(t('page.pickup.late')).waitFor()
    await look(page.page, 'cash-ready')
    const code = await page.figures('page.pickup.code')
    assert.match(code, /^\d{3} \d{3} \d{3}$/)
    await page.page.reload()
    await page.page.getByText(code).waitFor()

    // Another language says the same, and turns nothing around.
    const chosen = page.page.getByRole('combobox', { name: t('page.language') })
    await chosen.selectOption({ label: 'العربية' })
    const arabic = new AnchorPage(page.page, words('ar'))
    await arabic.heading(arabic.t('page.heading.pickup')).waitFor()
    assert.equal(await arabic.figures('page.pickup.code'), code)
    await look(page.page, 'cash-ready-in-arabic')
    await page.page.getByRole('combobox', { name: arabic.t('page.language') }).selectOption({ label: 'English' })
    await page.heading(t('page.heading.pickup')).waitFor()

    // An e-mail says that the cash is there; it and the link in it tell nobody the code.
    const unsaid = new RegExp(code.replaceAll(' ', ' ?'))
    const told = await letter(anchor, t('mail.subject.collect', { amount_out: '48.00', asset_out: 'USD' }))
    assert.match(told, /the code that this withdrawal shows/)
    assert.match(told, /\/transaction\/\S+\?c=/)
    assert.doesNotMatch(told, unsaid)
    const entry = wallet.transaction('Withdrawal', 'pending_user_transfer_complete')
    const link = new URL(await entry.getByRole('link').getAttribute('href'))
    link.searchParams.delete('resume')
    const plain = await visitor.openWithoutScripts(link.href)
    await plain.getByText(t('page.pickup.deadline')).waitFor()
    assert.doesNotMatch(await plain.content(), unsaid)

    const bank = await BankPage.open(visitor, anchor)
    await bank.line('−48.00 USD', 'At the desk').waitFor()
    visitor.expect(/400 \(Bad Request\)/)
    await bank.collect(code === '000 000 000' ? '111111111' : '000000000')
    await bank.page.getByRole('alert').getByText('no cash lies ready under this code').waitFor()
    await bank.collect(code)
    await bank.page.getByText('Here are 48.00 USD for Alex Rivera.').waitFor()
    await look(bank.page, 'bank-desk')
    await bank.line('−48.00 USD', 'Collected').waitFor()

    await page.heading(t('page.heading.completed.cash')).waitFor()
    assert.equal(await page.page.getByText(code).count(), 0)
    assert.doesNotMatch(await letter(anchor, t('mail.subject.completed.withdrawal.cash', { amount_out: '48.00', asset_out: 'USD' })), unsaid)
    await look(page.page, 'cash-collected')
    await wallet.transaction('Withdrawal', 'completed').waitFor()
  },

  async 'cash that nobody collects, while its page is offline'({ visitor, anchor, look }) {
    visitor.expect(/net::ERR_(FAILED|INTERNET_DISCONNECTED|CONNECTION_\w+|NETWORK_CHANGED)/)
    const t = words('en')
    const wallet = await WalletPage.open(visitor, anchor)
    const page = await ready(visitor, wallet, t, 60) // an amount of its own, to be told from others' at the desk
    const code = await page.figures('page.pickup.code')

    // Who stands at the desk without a network still has the code.
    const network = await page.page.context().newCDPSession(page.page)
    const offline = (yes) => network.send('Network.emulateNetworkConditions', { offline: yes, latency: 0, downloadThroughput: -1, uploadThroughput: -1 })
    await offline(true)
    await page.page.getByText(t('page.offline')).waitFor()
    assert.equal(await page.figures('page.pickup.code'), code)
    await look(page.page, 'cash-offline')

    // Meanwhile it goes back: the page learns of it, and what happens now.
    const bank = await BankPage.open(visitor, anchor)
    await bank.line('−58.00 USD', 'At the desk').getByRole('button', { name: /^Nobody comes/ }).click()
    await offline(false)
    await page.heading(t('page.heading.hold')).waitFor()
    await page.page.getByText(t('message.not_collected')).waitFor()
    assert.equal(await page.page.getByText(code).count(), 0)
    await look(page.page, 'cash-not-collected')
    await wallet.transaction('Withdrawal', 'on_hold').waitFor()
  },
}

export const settings = {
  'a withdrawal is collected in cash, on a phone': { device: phone },
  'cash that nobody collects, while its page is offline': { device: phone },
}
