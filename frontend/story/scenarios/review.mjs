// Customers at whom a person looks, while their page is open.

import assert from 'node:assert/strict'
import { phone } from '../browser.mjs'
import { AnchorPage, person, WalletPage } from '../pages.mjs'
import { words } from '../words.mjs'
import { pdf } from './documents.mjs'

/** Staff who are signed in, and decide over the transaction of a page. */
async function reviewer(visitor, anchor) {
  const staff = await visitor.open(await anchor.signInAs('Ida'))
  await staff.getByRole('button', { name: 'Sign in' }).click()
  await staff.waitForURL(new URL('/playground', anchor.admin).href)
  const { request } = staff.context()
  await staff.close()
  const ask = async (query, variables) => {
    const response = await request.post(new URL('/graphql', anchor.admin).href, { headers: { Origin: anchor.admin }, data: { query, variables } })
    const { data, errors } = await response.json()
    assert.equal(errors, undefined, JSON.stringify(errors))
    return data
  }
  const decide = (mutation, id, message) =>
    ask(`mutation($id: ID!, $key: ID!, $message: String!) { ${mutation}(transaction: $id, key: $key, message: $message) { status } }`, { id, key: mutation, message })
  return {
    async waiting() {
      const { transactions } = await ask('{ transactions(filter: {toReview: true}) { nodes { id } } }')
      return transactions.nodes.map(({ id }) => id)
    },
    async accept(id) {
      const { transaction } = await ask('query($id: ID!) { transaction(id: $id) { staff { answersVersion } } }', { id })
      const seen = { id, seen: transaction.staff.answersVersion, key: 'accept' }
      return ask('mutation($id: ID!, $seen: ID!, $key: ID!) { acceptCustomer(transaction: $id, answersVersion: $seen, key: $key) { status } }', seen)
    },
    correct: (id, message) => decide('askCorrection', id, message),
    reject: (id, message) => decide('rejectCustomer', id, message),
  }
}

async function begin(visitor, anchor) {
  const wallet = await WalletPage.open(visitor, anchor)
  await wallet.createAccount()
  const page = new AnchorPage(await visitor.popup(() => wallet.button('Deposit').click()), words('en'))
  await page.who()
  await page.press('page.continue')
  return page
}

const idOf = ({ page }) => new URL(page.url()).pathname.split('/').at(-1)

export const scenarios = {
  async 'a person asks for a correction, and accepts what comes, while the page is open'({ visitor, anchor, look }) {
    const t = words('en')
    const page = await begin(visitor, anchor)
    const staff = await reviewer(visitor, anchor)
    await page.amount('deposit', '100', '98.50', 'USDW')
    await page.press('page.continue')
    await page.summary('deposit')
    await page.press('page.agree.deposit')

    // They wait, and are not told how to pay.
    await page.heading(t('page.heading.review')).waitFor()
    await page.page.getByText(t('message.review')).waitFor()
    assert.equal(await page.page.getByText(t('instruction.reference'), { exact: true }).count(), 0)
    await look(page.page, 'waiting')
    const id = idOf(page)
    assert.deepEqual(await staff.waiting(), [id])

    const asks = 'Your family name is another one on the passport.'
    await staff.correct(id, asks)
    await page.heading(t('page.who.correct')).waitFor()
    await page.page.getByText(asks).waitFor()
    await look(page.page, 'correction')
    const name = page.page.getByRole('textbox', { name: t('field.last_name') })
    assert.equal(await name.inputValue(), person.last_name)
    await name.fill('Rivera Soto')
    await page.press('page.continue')
    await page.heading(t('page.heading.review')).waitFor()

    await staff.accept(id)
    await page.button('page.sent').waitFor()
    assert.match(await page.instruction('reference'), /\w/)
    await look(page.page, 'pay')
  },

  async 'a larger amount asks for more, and a person turns its customer away'({ visitor, anchor, look }) {
    const t = words('en')
    const page = await begin(visitor, anchor)
    const staff = await reviewer(visitor, anchor)
    await page.amount('deposit', '2000', '1989.00', 'USDW')
    await page.press('page.continue')

    await page.heading(t('page.more')).waitFor()
    const born = (part) => page.page.locator(`[autocomplete=bday-${part}]`)
    assert.equal(await page.page.getByRole('textbox', { name: t('field.first_name') }).count(), 0)
    await look(page.page, 'more')
    await page.press('page.continue')
    await page.page.locator('#birth_date-error').waitFor()
    // What was sent stays, while the rest is open.
    const bill = page.page.getByRole('group', { name: t('field.photo_proof_residence') })
    await bill.locator('input[type=file]:not([capture])').setInputFiles({ name: 'bill.pdf', mimeType: 'application/pdf', buffer: pdf })
    await bill.getByText(t('page.file.there')).waitFor()
    await look(page.page, 'more-sent')
    await born('day').fill('31')
    await born('month').selectOption({ index: 12 })
    await born('year').fill('1990')
    await page.press('page.continue')
    await page.summary('deposit')

    // Less asks less, and back again nothing is asked twice.
    await page.press('page.back')
    await page.heading(t('page.more')).waitFor()
    assert.equal(await born('year').inputValue(), '1990')
    await page.press('page.continue')
    await page.summary('deposit')
    await page.press('page.agree.deposit')
    await page.heading(t('page.heading.review')).waitFor()

    const reason = 'We cannot serve customers in your country yet.'
    await staff.reject(idOf(page), reason)
    await page.heading(t('page.heading.rejected')).waitFor()
    await page.page.getByText(reason).waitFor()
    await page.page.locator('a[href^="mailto:"]').first().waitFor()
    await page.button('page.back_to_wallet', { wallet: t('page.your_wallet') }).waitFor()
    await look(page.page, 'rejected')
  },
}

export const settings = {
  'a person asks for a correction, and accepts what comes, while the page is open': {
    device: phone,
    env: { WINDLASS_ASSETS_0_DEPOSIT_REVIEW: 'person' },
  },
  'a larger amount asks for more, and a person turns its customer away': {
    device: phone,
    theme: 'dark',
    env: {
      WINDLASS_ASSETS_0_DEPOSIT_LEVELS_0_FROM: '1000',
      WINDLASS_ASSETS_0_DEPOSIT_LEVELS_0_FIELDS: 'birth_date,photo_proof_residence',
    },
  },
}
