// What is paid in comes out at the other end: the whole road, by every kind of hand.

import assert from 'node:assert/strict'
import { openWallet } from '../../demo/wallet.mjs'
import { desktop, phone } from '../browser.mjs'
import { AnchorPage, BankPage, Keyboard, person, WalletPage } from '../pages.mjs'
import { copies, depositUpToPaying, payAndArrive, withdraw } from '../walks.mjs'
import { figure, words } from '../words.mjs'

export const scenarios = {
  async 'a deposit and a withdrawal on a computer'({ visitor, anchor, look }) {
    const t = words('en')
    const wallet = await WalletPage.open(visitor, anchor)
    await wallet.button('Create account').waitFor()
    await look(wallet.page, 'wallet-empty')
    await wallet.createAccount()
    await look(wallet.page, 'wallet-created')

    // The deposit.
    const page = await depositUpToPaying(visitor, wallet, t, look)
    const reference = await page.instruction('reference')
    await wallet.page.getByRole('link', { name: 'Send the money at the simulated bank' }).waitFor()
    await look(wallet.page, 'wallet-waiting')
    await page.press('page.sent')
    await page.heading(t('page.heading.awaiting.deposit')).waitFor()
    await look(page.page, 'deposit-waiting')
    const bank = await payAndArrive(visitor, anchor, wallet, reference)
    await look(bank.page, 'bank-in')
    await page.heading(t('page.heading.completed.deposit')).waitFor()
    await look(page.page, 'deposit-completed')
    await page.backToWallet()
    await wallet.step('See the money arrive', 'Done').waitFor()
    await wallet.transaction('Deposit', 'completed').filter({ hasText: '100.00 USD → 98.50 USDW' }).waitFor()
    await wallet.movement('+98.50 USDW').waitFor()
    await look(wallet.page, 'wallet-deposited')

    // The withdrawal.
    const out = await withdraw(visitor, wallet, t, look)
    await wallet.step('Pay the anchor', 'Done').waitFor()
    await wallet.balance('48.50', 'USDW')
    await bank.line('−47.75 USD', 'Alex Rivera').waitFor()
    await out.heading(t('page.heading.completed.withdrawal')).waitFor()
    await look(out.page, 'withdrawal-completed')
    await look(bank.page, 'bank-out')
    await wallet.transaction('Withdrawal', 'completed').filter({ hasText: '50.00 USDW → 47.75 USD' }).waitFor()
    await wallet.movement('−50.00 USDW').waitFor()
    await look(wallet.page, 'wallet-withdrawn')

    // Both have a page of their own, which says the essential without scripts too.
    const link = wallet.transaction('Deposit', 'completed').getByRole('link')
    const info = await visitor.popup(() => link.click())
    await new AnchorPage(info, t).heading(t('page.heading.completed.deposit')).waitFor()
    await look(info, 'more-info')
    const receipt = (await info.pdf({ format: 'A4' })).toString('latin1')
    assert.equal(receipt.match(/\/Type \/Page\b/g)?.length, 1, 'the receipt prints on one page')
    const plain = await visitor.openWithoutScripts(await link.getAttribute('href'))
    const summary = plain.getByRole('main')
    for (const text of [t.like('status.deposit.completed'), figure('100.00', 'USD'), figure('98.50', 'USDW')]) {
      await summary.filter({ hasText: text }).waitFor()
    }
    await visitor.picture(plain, 'more-info-without-scripts')

    // The wallet finds everything again.
    await wallet.page.reload()
    await wallet.balance('48.50', 'USDW')
    await wallet.transaction('Withdrawal', 'completed').waitFor()
    await look(wallet.page, 'wallet-reopened')
  },

  async 'a deposit on a phone, in the dark'({ visitor, anchor, look }) {
    const t = words('en')
    const wallet = await WalletPage.open(visitor, anchor)
    await wallet.createAccount()
    await look(wallet.page, 'wallet-created')
    const page = await depositUpToPaying(visitor, wallet, t, look)
    const bank = await payAndArrive(visitor, anchor, wallet, await page.instruction('reference'))
    await page.heading(t('page.heading.completed.deposit')).waitFor()
    await look(page.page, 'deposit-completed')
    await look(bank.page, 'bank')
    await look(wallet.page, 'wallet-deposited')
  },

  async 'a deposit with the keyboard alone'({ visitor, anchor, look }) {
    const t = words('en')
    const wallet = await openWallet({ anchorUrl: anchor.public, horizon: anchor.horizon })
    await wallet.fund()
    await wallet.trust()
    await wallet.signIn()
    const { url } = await wallet.start('deposit')
    const tab = await visitor.open(url)
    const page = new AnchorPage(tab, t)
    const keys = new Keyboard(tab)
    const button = (name) => tab.getByRole('button', { name, exact: true })
    /** Every screen begins at its heading, where a screen reader goes on. */
    const begins = async (heading) => {
      await page.heading(heading).waitFor()
      await tab.waitForFunction((text) => document.activeElement?.textContent === text, heading)
    }

    await begins(t('page.who'))
    // Whoever goes on too early stands at the first mistake.
    await keys.press(button(t('page.continue')))
    await tab.waitForFunction(() => document.activeElement?.name === 'first_name')
    await tab.keyboard.type(person.first_name)
    await keys.type(tab.getByRole('textbox', { name: t('field.last_name') }), person.last_name)
    await keys.type(tab.getByRole('textbox', { name: t('field.email_address') }), person.email_address)
    await tab.keyboard.press('Enter')

    await begins(t('page.amount.deposit'))
    await keys.type(tab.getByRole('textbox', { name: t('page.you_send') }), '100')
    await tab.getByText(figure('98.50', 'USDW')).waitFor()
    await look(tab, 'amount')
    await tab.keyboard.press('Enter')

    await begins(t('page.summary'))
    // Back to the amount and forth again.
    await keys.press(button(t('page.back')))
    await begins(t('page.amount.deposit'))
    await tab.getByText(figure('98.50', 'USDW')).waitFor()
    await keys.press(button(t('page.continue')))
    await begins(t('page.summary'))
    await keys.press(button(t('page.agree.deposit')))

    const pay = t('page.pay', { amount: '100.00\u00a0USD' })
    await begins(pay)
    await visitor.context.grantPermissions(['clipboard-read', 'clipboard-write'])
    const reference = await page.instruction('reference')
    await copies(tab, () => keys.press(tab.getByRole('button', { name: t('instruction.reference') })), reference)
    await tab.getByText(t('page.copied')).waitFor()
    await keys.press(button(t('page.sent')))
    await begins(t('page.heading.awaiting.deposit'))
    await look(tab, 'waiting')

    const bank = await BankPage.open(visitor, anchor, `#amount=100&reference=${encodeURIComponent(reference)}`)
    await bank.send({})
    await begins(t('page.heading.completed.deposit'))
    await keys.press(button(t('page.back_to_wallet', { wallet: t('page.your_wallet') })))
  },

  async 'mistakes are named where they were made'({ visitor, anchor, look }) {
    visitor.expect(/status of 400/)
    const t = words('en')
    const bank = await BankPage.open(visitor, anchor)
    await bank.send({ amount: 'much', reference: 'NONE' })
    await bank.page.getByRole('alert').waitFor()
    assert.equal(await bank.page.getByLabel('Amount in').getAttribute('aria-invalid'), 'true')
    await look(bank.page, 'bank-mistake')

    const wallet = await WalletPage.open(visitor, anchor)
    await wallet.createAccount()
    const popup = await visitor.popup(() => wallet.button('Deposit').click())
    const page = new AnchorPage(popup, t)
    await page.heading(t('page.who')).waitFor()
    await page.press('page.continue')
    await popup.getByText(t('error.field_required')).first().waitFor()
    await look(popup, 'who-mistakes')
    await page.who()
    await page.press('page.continue')
    await page.heading(t('page.amount.deposit')).waitFor()
    await popup.getByRole('textbox', { name: t('page.you_send') }).fill('much')
    await popup.getByText(t('error.amount_malformed')).waitFor()
    await look(popup, 'amount-mistake')
    await page.press('page.continue')
    await page.heading(t('page.amount.deposit')).waitFor()

    // What is to arrive leads as well, and its own limits are told beside it.
    const arrives = popup.getByRole('textbox', { name: t('page.you_receive') })
    await arrives.fill('1000000')
    await popup.getByText(t.like('error.amount_out_above_maximum')).waitFor()
    await look(popup, 'amount-out-mistake')
    await arrives.fill('98.5')
    await popup.getByText(figure('100.00', 'USD')).waitFor()
    assert.equal(await popup.getByRole('textbox', { name: t('page.you_send') }).inputValue(), '100.00')
    await look(popup, 'amount-by-what-arrives')
    await page.press('page.continue')
    await page.summary('deposit')
    await popup.getByText(figure('100.00', 'USD')).first().waitFor()
  },
}

export const settings = {
  'a deposit and a withdrawal on a computer': { device: desktop },
  'a deposit on a phone, in the dark': { device: phone, theme: 'dark' },
}
