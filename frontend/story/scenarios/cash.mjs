// Money that is collected at a desk.

import assert from 'node:assert/strict'
import { phone } from '../browser.mjs'
import { AnchorPage, BankPage, WalletPage } from '../pages.mjs'
import { words } from '../words.mjs'

export const scenarios = {
  async 'a withdrawal is collected in cash, on a phone'({ visitor, anchor, look }) {
    const t = words('en')
    const wallet = await WalletPage.open(visitor, anchor)
    await wallet.createAccount()
    await wallet.page.getByLabel('What to deposit and withdraw').selectOption('XLM')
    const page = new AnchorPage(await visitor.popup(() => wallet.button('Withdraw').click()), t)
    await page.who()
    await page.press('page.continue')
    await page.amount('withdrawal', '50', '48.00', 'USD')
    await page.press('page.continue')
    await page.summary('withdrawal', async () => {
      await page.method('cash').check()
      await look(page.page, 'cash-method')
    })
    await page.press('page.agree.withdrawal')

    // The wallet has paid; who collects has a code, and still has it after a reload.
    await page.heading(t('page.heading.pickup')).waitFor()
    await page.page.getByRole('term').filter({ hasText: t('page.pickup.code') }).waitFor()
    await look(page.page, 'cash-ready')
    const code = await page.figures('page.pickup.code')
    assert.match(code, /^\d{3} \d{3} \d{3}$/)
    await page.page.reload()
    await page.page.getByText(code).waitFor()

    // Whoever only has the link does not.
    const entry = wallet.transaction('Withdrawal', 'pending_user_transfer_complete')
    const link = new URL(await entry.getByRole('link').getAttribute('href'))
    link.searchParams.delete('resume')
    const plain = await visitor.openWithoutScripts(link.href)
    await plain.getByText(t('page.pickup.deadline')).waitFor()
    assert.doesNotMatch(await plain.content(), new RegExp(code.replaceAll(' ', ' ?')))

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
    await look(page.page, 'cash-collected')
    await wallet.transaction('Withdrawal', 'completed').waitFor()
  },
}

export const settings = {
  'a withdrawal is collected in cash, on a phone': { device: phone },
}
