// What is asked, in every kind of answer.

import assert from 'node:assert/strict'
import { openWallet } from '../../demo/wallet.mjs'
import { phone } from '../browser.mjs'
import { AnchorPage, Keyboard, person } from '../pages.mjs'
import { words } from '../words.mjs'

export const scenarios = {
  async 'every kind of answer with the keyboard, in Arabic, on a phone'({ visitor, anchor, look }) {
    const t = words('ar')
    const wallet = await openWallet({ anchorUrl: anchor.public, horizon: anchor.horizon })
    await wallet.fund()
    await wallet.signIn()
    wallet.asset = { code: 'native' }
    const { url } = await wallet.start('withdrawal', { lang: 'ar' })
    const tab = await visitor.open(url)
    const page = new AnchorPage(tab, t)
    const keys = new Keyboard(tab)
    const label = (name) => ({ name: t(`field.${name}`) })
    const box = (name) => tab.getByRole('textbox', label(name))
    const fault = (name) => tab.locator(`#${name}-error`)
    const says = (name, reason) => fault(name).filter({ hasText: reason && t(`error.${reason}`) }).waitFor({ state: reason ? 'visible' : 'attached' })
    const right = (name) => tab.waitForFunction((id) => document.getElementById(id).textContent === '', `${name}-error`)

    // Whoever goes on without a word stands at the first question, and every one says what is missing.
    await page.heading(t('page.who')).waitFor()
    const button = (key) => tab.getByRole('button', { name: t(key), exact: true })
    await button('page.test_data').waitFor()
    await keys.press(button('page.continue'))
    await tab.waitForFunction(() => document.activeElement?.name === 'first_name')
    for (const name of ['first_name', 'birth_date', 'address_country_code', 'id_type']) await says(name, 'field_required')
    await right('sex') // is asked for, and need not be said
    await look(tab, 'nothing-said')

    // What was wrong once is judged at every key.
    await tab.keyboard.type(person.first_name)
    await right('first_name')
    await keys.type(box('last_name'), person.last_name)
    await keys.type(box('email_address'), 'alex')
    await says('email_address', 'email_malformed')
    await tab.keyboard.type('@example.org')
    await right('email_address')
    await keys.type(box('mobile_number'), '٠٩١٢٣')
    await says('mobile_number', 'phone_without_country')
    await tab.keyboard.press('ControlOrMeta+A')
    await tab.keyboard.type('+٢٠ ١٠٠')
    await says('mobile_number', 'phone_malformed')
    await tab.keyboard.type(' ١٢٣ ٤٥٦٧')
    await right('mobile_number')

    // A date has its day, month and year in the language's own order.
    const birth = tab.getByRole('group', label('birth_date'))
    await keys.type(birth.locator('.day input'), '٣٠')
    await keys.choose(birth.getByRole('combobox'), '02')
    await keys.type(birth.locator('.year input'), '1990')
    await says('birth_date', 'date_malformed')
    await tab.keyboard.press('Shift+Tab')
    await tab.keyboard.press('ArrowDown')
    await right('birth_date')
    assert.equal(await birth.locator('.day input').inputValue(), '30')

    const country = tab.getByRole('combobox', label('address_country_code'))
    await keys.choose(country, 'ARG')
    await country.getByText('الأرجنتين').waitFor({ state: 'attached' })
    await right('address_country_code')
    await keys.choose(tab.getByRole('combobox', label('id_type')), 'passport')
    await right('id_type')
    const expiry = tab.getByRole('group', label('id_expiration_date'))
    await keys.type(expiry.locator('.day input'), '1')
    await keys.choose(expiry.getByRole('combobox'), '01')
    await keys.type(expiry.locator('.year input'), '2020')
    await says('id_expiration_date', 'document_expired')
    await keys.press(button('page.continue'))
    await tab.waitForFunction(() => document.activeElement?.closest('.day') !== null)
    await look(tab, 'an-expired-document')

    // In a sandbox nobody needs papers: a button answers, and what it says will do.
    await keys.press(button('page.test_data'))
    await right('id_expiration_date')
    await look(tab, 'test-data')
    await keys.press(button('page.continue'))
    await page.amount('withdrawal', '50', '48.00', 'USD')
    await tab.keyboard.press('Enter')
    await page.heading(t('page.method.withdrawal')).waitFor()
    await keys.to(page.method('bank_transfer'))
    await tab.keyboard.press('Space')
    await button('page.test_data').waitFor()
    await keys.press(button('page.test_data'))
    await keys.choose(tab.getByRole('combobox', label('mobile_money_provider')), 'Port Pay')
    await look(tab, 'method')
    await keys.press(button('page.continue'))
    await page.heading(t('page.summary')).waitFor()
    for (const text of ['Port Pay', t('option.bank_account_type.checking')]) await tab.getByText(text).waitFor()
    await look(tab, 'summary')
  },
}

export const settings = {
  'every kind of answer with the keyboard, in Arabic, on a phone': { device: phone, lang: 'ar' },
}
