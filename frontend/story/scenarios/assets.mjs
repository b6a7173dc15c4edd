// Assets beside the first: lumens, and what is not worth the same.

import assert from 'node:assert/strict'
import { unlike } from '../anchors.mjs'
import { phone } from '../browser.mjs'
import { AnchorPage, BankPage, person, WalletPage } from '../pages.mjs'
import { withdraw } from '../walks.mjs'
import { figure, words } from '../words.mjs'

export const scenarios = {
  async 'money is exchanged at a rate, on a phone'({ visitor, anchor, look }) {
    const t = words('en')
    const wallet = await WalletPage.open(visitor, anchor)
    await wallet.createAccount()
    const at = (page, price) => page.page.getByText(new RegExp(`^1\\sSUNW = ${price}\\sEUR$`)).waitFor()

    // The rate is told while the amount is typed, and with all that is agreed to.
    const deposit = new AnchorPage(await visitor.popup(() => wallet.button('Deposit').click()), t)
    await deposit.who()
    await deposit.press('page.continue')
    await deposit.amount('deposit', '100', '837.585034', 'SUNW')
    await at(deposit, '0.1176')
    await look(deposit.page, 'amount')
    await deposit.press('page.continue')
    await deposit.summary('deposit')
    await at(deposit, '0.1176')
    await look(deposit.page, 'summary')

    // Meanwhile the price has changed: it is seen before it is agreed to.
    visitor.expect(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING/)
    await anchor.kill()
    await anchor.start({ WINDLASS_ASSETS_0_DEPOSIT_PRICE: '0.118' })
    await deposit.press('page.agree.deposit')
    await deposit.page.getByText(t('error.price_changed')).waitFor()
    await at(deposit, '0.118')
    await deposit.page.getByText(figure('834.7457627', 'SUNW')).waitFor()
    await look(deposit.page, 'summary-changed')
    await deposit.press('page.agree.deposit')
    await deposit.page.getByRole('button', { name: t('page.sent'), exact: true }).waitFor()
    await look(deposit.page, 'pay')

    const offer = wallet.page.getByRole('link', { name: 'Send the money at the simulated bank' })
    await offer.waitFor()
    await look(wallet.page, 'wallet-waiting')
    const bank = new BankPage(await visitor.popup(() => offer.click()))
    await bank.send({ reference: await deposit.instruction('reference') })
    await bank.line('+100.00 EUR').waitFor()
    await wallet.balance('834.7457627', 'SUNW')
    await deposit.heading(t('page.heading.completed.deposit')).waitFor()
    await at(deposit, '0.118')
    await look(deposit.page, 'deposit-completed')
    await wallet.transaction('Deposit', 'completed').filter({ hasText: '100.00 EUR → 834.7457627 SUNW' }).waitFor()

    const withdrawal = new AnchorPage(await visitor.popup(() => wallet.button('Withdraw').click()), t)
    await withdrawal.amount('withdrawal', '500', '56.98', 'EUR')
    await at(withdrawal, '0.115')
    await look(withdrawal.page, 'withdrawal-amount')
    await withdrawal.press('page.continue')
    await withdrawal.summary('withdrawal')
    await look(withdrawal.page, 'withdrawal-summary')
    await withdrawal.press('page.agree.withdrawal')
    await withdrawal.heading(t('page.heading.completed.withdrawal')).waitFor()
    await bank.line('−56.98 EUR').waitFor()
    await wallet.transaction('Withdrawal', 'completed').filter({ hasText: '500.00 SUNW → 56.98 EUR' }).waitFor()
    await look(wallet.page, 'wallet-withdrawn')
    await look(bank.page, 'bank')

    const link = wallet.transaction('Deposit', 'completed').getByRole('link')
    const info = new AnchorPage(await visitor.popup(() => link.click()), t)
    await info.heading(t('page.heading.completed.deposit')).waitFor()
    await at(info, '0.118')
    await look(info.page, 'more-info')
    const plain = await visitor.openWithoutScripts(await link.getAttribute('href'))
    await plain.getByText('1 SUNW = 0.118 EUR').waitFor()
    await visitor.picture(plain, 'more-info-without-scripts')
  },

  async 'lumens, in and out'({ visitor, anchor, look }) {
    const t = words('en')
    const wallet = await WalletPage.open(visitor, anchor)
    await wallet.createAccount()
    await wallet.page.getByLabel('What to deposit and withdraw').selectOption('XLM')
    await look(wallet.page, 'wallet-lumens')

    const page = new AnchorPage(await visitor.popup(() => wallet.button('Deposit').click()), t)
    await page.who()
    await page.press('page.continue')
    await page.amount('deposit', '100', '99.00', 'XLM')
    await page.press('page.continue')
    await page.summary('deposit', async () => {
      // Each way to pay tells what it takes; one does not take as much.
      await page.press('page.continue')
      await page.page.getByText(t('error.method_missing')).waitFor()
      assert.equal(await page.method('cash').isDisabled(), true)
      await page.page.getByText(t('page.limits', { minimum: '5.00\u00a0USD', maximum: '50.00\u00a0USD' })).waitFor()
      await look(page.page, 'deposit-methods')
      await page.method('instant_transfer').check()
    })
    await page.page.getByText(t('page.takes', { time: '1 minute' })).waitFor()
    await look(page.page, 'deposit-summary')
    await page.press('page.agree.deposit')
    await page.page.locator('details', { hasText: t('page.pay.scan') }).evaluate((fold) => (fold.open = true)) // as it is without a touch screen
    await page.page.getByRole('img', { name: t('page.pay.qr') }).waitFor()
    await look(page.page, 'deposit-pay-by-code')
    const bank = await BankPage.open(visitor, anchor, `#amount=100&reference=${encodeURIComponent(await page.instruction('reference'))}`)
    await page.press('page.sent')
    await page.page.getByText(t('page.takes', { time: '1 minute' })).waitFor() // of the way chosen, while it is waited for
    await bank.send({})
    await wallet.balance('10098.00', 'XLM') // no trustline cost anything
    await wallet.transaction('Deposit', 'completed').filter({ hasText: '100.00 USD → 98.00 XLM' }).waitFor()

    const out = new AnchorPage(await visitor.popup(() => wallet.button('Withdraw').click()), t)
    // It asks for more than the deposit did, and knows what was said there.
    await out.heading(t('page.who')).waitFor()
    assert.equal(await out.page.getByRole('textbox', { name: t('field.last_name') }).inputValue(), person.last_name)
    await out.answer()
    await look(out.page, 'who-again')
    await out.press('page.continue')
    await out.amount('withdrawal', '50', '48.00', 'USD')
    await out.press('page.continue')
    await out.summary('withdrawal', async () => {
      await out.method('bank_transfer').check()
      await out.answer()
    })
    await out.page.getByText('Savings account').waitFor()
    await look(out.page, 'withdrawal-summary')
    await out.press('page.agree.withdrawal')
    await bank.line('−48.00 USD', 'Alex Rivera').waitFor()
    await wallet.transaction('Withdrawal', 'completed').filter({ hasText: '50.00 XLM → 48.00 USD' }).waitFor()
    await look(wallet.page, 'wallet-lumens-withdrawn')
  },
}

export const settings = {
  'money is exchanged at a rate, on a phone': { device: phone, env: unlike },
}
