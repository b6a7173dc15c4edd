// The pages as a person sees them: by headings, labels and buttons.

import { figure } from './words.mjs'

/** The demo wallet. */
export class WalletPage {
  constructor(page) {
    this.page = page
  }

  static async open(visitor, anchor) {
    return new WalletPage(await visitor.open(new URL('/wallet', anchor.public).href))
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: true })
  }

  async createAccount() {
    await this.button('Create account').click()
    await this.balance('10000.00', 'XLM')
  }

  /** The account's address. */
  account() {
    return this.page.getByRole('region', { name: 'Your account' }).locator('.mono[title]').getAttribute('title')
  }

  /** Waits until the account holds exactly this; nobody reloads anything. */
  async balance(amount, unit) {
    await this.page.getByRole('list', { name: 'Balances' }).getByRole('listitem').filter({ hasText: figure(amount, unit) }).waitFor()
  }

  async speak(language) {
    await this.page.getByLabel('The anchor’s language').selectOption({ label: language })
  }

  /** The steps of the newest run, with how each stands. */
  step(title, state) {
    return this.page.getByRole('heading', { name: new RegExp(`${title}.*${state}`), level: 3 }).first()
  }

  /** A row of the anchor's history. */
  transaction(kind, status) {
    return this.page.getByRole('region', { name: 'History at the anchor' }).getByRole('listitem').filter({ hasText: kind }).filter({ hasText: status })
  }

  movement(amount) {
    return this.page.getByRole('region', { name: 'On the ledger' }).getByRole('listitem').filter({ hasText: amount })
  }
}

export const person = {
  first_name: 'Alex',
  last_name: 'Rivera',
  email_address: 'alex.rivera@example.org',
  bank_account_number: '000123456789',
  bank_name: 'Harbour Sample Bank',
  bank_number: '021000021',
  mobile_number: '+1 202 555 0143',
  birth_date: '1990-05-17',
  address_country_code: 'URY',
  id_type: 'passport',
  id_expiration_date: '2099-12-31',
  sex: 'other',
  bank_account_type: 'savings',
  mobile_money_provider: 'Port Pay',
}

/** Hands on the keyboard only, as somebody who has no mouse. */
export class Keyboard {
  constructor(page) {
    this.page = page
  }

  /** Goes on with Tab until this has the focus, which must be seen, with nothing in front of it. */
  async to(locator) {
    const wanted = await locator.elementHandle()
    for (let steps = 0; steps < 40; steps++) {
      await this.page.keyboard.press('Tab')
      if (!(await wanted.evaluate((element) => element === document.activeElement))) continue
      const seen = await wanted.evaluate((element) => {
        const ring = (at) => getComputedStyle(at).outlineStyle !== 'none' || getComputedStyle(at).boxShadow !== 'none'
        const { left, top, width, height } = element.getBoundingClientRect()
        const front = [0.1, 0.5, 0.9].map((part) => document.elementFromPoint(left + width / 2, top + height * part))
        if (!front.every((found) => found && (element.contains(found) || found.contains(element)))) return false
        return element.matches(':focus-visible') && (ring(element) || ring(element.closest('.box, label') ?? element))
      })
      if (!seen) throw new Error(`${locator} has the focus, and nobody sees it`)
      return
    }
    throw new Error(`${locator} is not reached with Tab`)
  }

  async type(locator, text) {
    await this.to(locator)
    await this.page.keyboard.type(text)
  }

  async press(locator) {
    await this.to(locator)
    await this.page.keyboard.press('Enter')
  }

  /** Goes down a list from its top. */
  async choose(locator, value) {
    await this.to(locator)
    await this.page.keyboard.press('Home')
    for (let steps = 0; (await locator.inputValue()) !== value; steps++) {
      if (steps > 260) throw new Error(`${locator} does not offer ${value}`)
      await this.page.keyboard.press('ArrowDown')
    }
  }
}

/** The anchor's page, in a window of its own or in a frame. */
export class AnchorPage {
  constructor(page, t) {
    this.page = page
    this.t = t
  }

  heading(text) {
    return this.page.getByRole('heading', { level: 1, name: text })
  }

  button(key, names) {
    return this.page.getByRole('button', { name: this.t(key, names), exact: true })
  }

  async press(key, names) {
    await this.button(key, names).click()
  }

  /** Fills in every question on the screen, each under its name in the catalogue. */
  async answer() {
    for (const label of await this.page.getByRole('main').locator('.field > label[for]').all()) {
      const name = await label.getAttribute('for')
      const named = { name: this.t(`field.${name}`) }
      if (name.endsWith('_date')) await this.date(this.page.getByRole('group', named), person[name])
      else if ((await this.page.locator(`#${name}`).evaluate((field) => field.tagName)) === 'SELECT') await this.page.getByRole('combobox', named).selectOption(person[name])
      // One name can be a part of another.
      else await this.page.getByRole('textbox', named).and(this.page.locator(`#${name}`)).fill(person[name])
    }
  }

  /** Enters a date, part by part. */
  async date(group, text) {
    const [year, month, day] = text.split('-')
    await group.locator('.day input').fill(day)
    await group.getByRole('combobox').selectOption(month)
    await group.locator('.year input').fill(year)
  }

  async who() {
    await this.heading(this.t('page.who')).waitFor()
    await this.answer()
  }

  /** Types an amount and waits for what it leaves. */
  async amount(kind, amount, leaves, unit) {
    await this.heading(this.t(`page.amount.${kind}`)).waitFor()
    await this.page.getByRole('textbox', { name: this.t('page.you_send') }).fill(amount)
    await this.page.getByText(figure(leaves, unit)).waitFor()
  }

  /** A way to pay, among several. */
  method(id) {
    return this.page.getByRole('radio', { name: new RegExp(`^${this.t(`method.${id}`)}`) })
  }

  /** The summary, through the choice of a method where there is one. */
  async summary(kind, beforeMethod = () => {}) {
    const method = this.heading(this.t(`page.method.${kind}`))
    const summary = this.heading(this.t('page.summary'))
    await method.or(summary).waitFor()
    if (await method.isVisible()) {
      await this.answer()
      await beforeMethod()
      await this.press('page.continue')
    }
    await summary.waitFor()
  }

  /** A row of the payment instructions. */
  instruction(name) {
    return this.figures(`instruction.${name}`)
  }

  /** The figures beside a label. */
  async figures(key) {
    const row = this.page.locator('dl > div').filter({ has: this.page.getByText(this.t(key), { exact: true }) })
    return (await row.locator('.mono').first().textContent()).trim()
  }

  /** Goes back, and waits until the window has closed: that may be before the browser has reported the click. */
  async backToWallet() {
    const press = this.press('page.back_to_wallet', { wallet: this.t('page.your_wallet') }).catch((problem) => {
      if (!this.page.isClosed()) throw problem
    })
    await Promise.all([this.page.waitForEvent('close'), press])
  }
}

/** The simulated bank. */
export class BankPage {
  constructor(page) {
    this.page = page
  }

  static async open(visitor, anchor, prefilled = '') {
    return new BankPage(await visitor.open(new URL(`/bank${prefilled}`, anchor.public).href))
  }

  async send({ amount, reference }) {
    if (amount !== undefined) await this.page.getByLabel('Amount in').fill(amount)
    if (reference !== undefined) await this.page.getByLabel('Reference').fill(reference)
    await this.page.getByRole('button', { name: 'Send transfer' }).click()
  }

  /** Shows a code at the cash desk. */
  async collect(code) {
    await this.page.getByLabel('Code', { exact: true }).fill(code)
    await this.page.getByRole('button', { name: 'Collect cash' }).click()
  }

  /** The newest line with all of this: everybody's lines are on the statement. */
  line(...texts) {
    return texts.reduce((rows, text) => rows.filter({ hasText: text }), this.page.getByRole('region', { name: 'Statement' }).getByRole('listitem')).first()
  }
}

/** GraphiQL, as staff see it. */
export class PlaygroundPage {
  constructor(page) {
    this.page = page
  }

  /** Puts an operation in the place of a tab's, as if pasted, and runs it. */
  async paste(tab, operation) {
    await this.page.getByRole('tab', { name: tab }).click()
    await this.page.locator('.graphiql-query-editor .CodeMirror').click()
    await this.page.keyboard.press('ControlOrMeta+A')
    await this.page.keyboard.insertText(operation)
    await this.page.getByRole('button', { name: /^Execute query/ }).click()
  }

  /** Runs a tab again and again until its data has what find looks for, and answers with that. */
  async runUntil(tab, what, find) {
    const button = this.page.getByRole('button', { name: /^Execute query/ })
    await this.page.getByRole('tab', { name: tab }).click()
    // GraphiQL asks for the schema when it likes, and a tab's name comes to it a moment after its text.
    const asked = (answer) => answer.request().postDataJSON().operationName
    const ran = (answer) => answer.url().endsWith('/graphql') && asked(answer) !== 'IntrospectionQuery'
    for (let tries = 0; tries < 120; tries++) {
      const [answer] = await Promise.all([this.page.waitForResponse(ran), button.click()])
      const found = asked(answer) === tab && find((await answer.json()).data)
      if (found) return found
      await this.page.waitForTimeout(250)
    }
    throw new Error(`${tab} never shows ${what}`)
  }

  /** Waits until the result shows this. The editor draws what is on the screen only: the first lines. */
  async shows(pattern) {
    await this.page.locator('.result-window .CodeMirror-code').filter({ hasText: pattern }).waitFor()
  }
}
