// Who comes again is not asked again.

import assert from 'node:assert/strict'
import { phone } from '../browser.mjs'
import { AnchorPage, person } from '../pages.mjs'
import { enterWithdrawal, readyWallet } from '../walks.mjs'
import { figure, words } from '../words.mjs'

/** Begins a withdrawal for a wallet that names no language, and opens the page. */
async function open(visitor, anchor, wallet) {
  const answer = await fetch(new URL('/sep24/transactions/withdraw/interactive', anchor.public), {
    method: 'POST',
    headers: { Authorization: `Bearer ${wallet.token.token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ asset_code: wallet.asset.code }),
  })
  const { url } = await answer.json()
  const tab = await visitor.open('about:blank')
  await tab.addInitScript(() => {
    window.presses = 0
    addEventListener('click', () => window.presses++, true)
  })
  await tab.goto(url)
  return tab
}

export const scenarios = {
  async 'a returning customer'({ visitor, anchor, look }) {
    const t = words('es')
    const wallet = await readyWallet(anchor)
    const saved = `${person.bank_name} ••••${person.bank_account_number.slice(-4)}`

    // The first time, by hand: the browser speaks English, and the customer rather Spanish.
    const first = await open(visitor, anchor, wallet)
    await new AnchorPage(first, words('en')).heading(words('en')('page.who')).waitFor()
    await first.getByRole('combobox', { name: words('en')('page.language') }).selectOption({ label: 'Español' })
    await enterWithdrawal(new AnchorPage(first, t), { newcomer: true })
    await first.getByRole('button', { name: t.like('page.back_to_wallet') }).waitFor()
    await first.close()

    // The second time all is as it was, in two presses.
    const second = await open(visitor, anchor, wallet)
    const same = new AnchorPage(second, t)
    await same.heading(t('page.amount.withdrawal')).waitFor()
    await look(second, 'last-time')
    await second.getByRole('button', { name: t('page.last') }).filter({ hasText: saved }).filter({ hasText: figure('50.00', 'USDW') }).click()
    await same.heading(t('page.summary')).waitFor()
    await second.getByText(`••••${person.bank_account_number.slice(-4)}`, { exact: true }).waitFor()
    await look(second, 'last-time-summary')
    assert.ok(!(await second.content()).includes(person.bank_account_number), 'the number of a saved account is on the page')
    await second.reload() // which speaks Spanish from its first byte on
    await same.heading(t('page.summary')).waitFor()
    await same.press('page.agree.withdrawal')
    await second.getByRole('button', { name: t.like('page.back_to_wallet') }).waitFor()
    await second.close()

    // The third time another amount, to the same account.
    const third = await open(visitor, anchor, wallet)
    const page = new AnchorPage(third, t)
    // What was typed stays what it was in another language, where its comma parts thousands.
    await page.amount('withdrawal', '60,500', '58.19', 'USD')
    const menu = (t) => third.getByRole('combobox', { name: t('page.language') })
    await menu(t).selectOption({ label: 'English' })
    await third.locator('html[lang=en]').waitFor()
    assert.equal(await third.getByRole('textbox', { name: words('en')('page.you_send') }).inputValue(), '60.5')
    await third.getByText(figure('58.19', 'USD')).waitFor()
    await menu(words('en')).selectOption({ label: 'Español' })
    await page.amount('withdrawal', '60', '57.70', 'USD')
    await page.press('page.continue')
    await page.heading(t('page.method.withdrawal')).waitFor()
    const account = third.getByRole('radio', { name: saved })
    assert.ok(await account.isChecked(), 'the account that was used last is proposed')
    assert.equal(await third.getByRole('main').getByRole('textbox').count(), 0)
    await look(third, 'saved-accounts')
    await page.press('page.continue')
    await page.heading(t('page.summary')).waitFor()
    // What is known of them is seen, and changed.
    await third.getByRole('button', { name: `${t('page.change')} ${t('page.your_details')}` }).click()
    await third.getByRole('textbox', { name: t('field.last_name') }).fill('Rivera Soto')
    await page.press('page.continue')
    await page.heading(t('page.summary')).waitFor()
    await third.getByText('Rivera Soto').waitFor()
    await page.press('page.agree.withdrawal')
    await third.getByRole('button', { name: t.like('page.back_to_wallet') }).waitFor()
    const presses = await third.evaluate(() => window.presses)
    assert.ok(presses <= 5, `${presses} presses`)
    await third.close()

    // Once it is removed, nobody offers it.
    const fourth = await open(visitor, anchor, wallet)
    const last = new AnchorPage(fourth, t)
    await last.amount('withdrawal', '60', '57.70', 'USD')
    await last.press('page.continue')
    await fourth.getByRole('radio', { name: t('page.saved.another') }).check()
    await fourth.getByRole('textbox', { name: t('field.bank_account_number') }).waitFor()
    await look(fourth, 'another-account')
    await fourth.getByRole('button', { name: `${t('page.saved.remove')} ${saved}` }).click()
    await fourth.getByRole('radio').first().waitFor({ state: 'detached' })
    await last.press('page.back')
    await last.heading(t('page.amount.withdrawal')).waitFor()
    assert.equal(await fourth.getByRole('button', { name: t('page.last') }).count(), 0)
  },
}

export const settings = {
  'a returning customer': { device: phone },
}
