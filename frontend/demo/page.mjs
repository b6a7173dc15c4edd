// The customer at the anchor's page: the same session and the same GraphQL as
// the real page, without a browser.

import { randomBytes } from 'node:crypto'

const sample = {
  first_name: 'Alex',
  last_name: 'Rivera',
  email_address: 'alex.rivera@example.org',
  bank_account_number: '000123456789',
  bank_number: '021000021',
  bank_name: 'Sample Bank',
}

const fields = `
  id kind status message amountIn amountOut
  fee { total lines { name amount } }
  terms { minimum maximum methods { id questions { name required value } } }
  questions { name required value }
  instructions { name value important }
`

/** Opens the address that the wallet was given: the token in it is burned for a session. */
export async function openPage(url, { lang = null } = {}) {
  const address = new URL(url)
  const id = address.pathname.split('/').at(-1)
  const answer = await post(new URL(`${address.pathname}/session`, address), {}, {
    token: address.searchParams.get('token'),
    nonce: randomBytes(16).toString('hex'),
    callback: null,
    on_change_callback: null,
    lang,
  })
  return new Page(address.origin, id, answer.bearer)
}

class Page {
  #origin
  #bearer

  constructor(origin, id, bearer) {
    this.#origin = origin
    this.id = id
    this.#bearer = bearer
  }

  async #ask(query, variables = {}) {
    const headers = { Authorization: `Bearer ${this.#bearer}`, 'X-Windlass-Transaction': this.id }
    const answer = await post(new URL('/graphql', this.#origin), headers, { query, variables: { id: this.id, ...variables } })
    if (answer.errors) {
      throw new Error(answer.errors.map((e) => `${e.message} (${[e.extensions?.code, e.extensions?.reason, e.extensions?.field].filter(Boolean).join(' ')})`).join('; '))
    }
    return Object.values(answer.data)[0]
  }

  /** The transaction as the page sees it. */
  read() {
    return this.#ask(`query ($id: ID!) { transaction(id: $id) { ${fields} } }`)
  }

  /** Answers what is still asked about the customer, with made-up answers. */
  async introduce() {
    const transaction = await this.read()
    const { questions } = transaction
    if (questions.every((q) => q.value || !q.required)) return transaction
    return this.#ask(`mutation ($id: ID!, $answers: [Answer!]!) { answer(transaction: $id, answers: $answers) { ${fields} } }`, { answers: answers(questions) })
  }

  enter(amountIn) {
    return this.#ask(`mutation ($id: ID!, $amountIn: Amount!) { setAmount(transaction: $id, amountIn: $amountIn) { ${fields} } }`, { amountIn })
  }

  /** Chooses the first method there is. */
  async choose() {
    const [method] = (await this.read()).terms.methods
    return this.#ask(`mutation ($id: ID!, $method: ID!, $answers: [Answer!]!) { chooseMethod(transaction: $id, method: $method, answers: $answers) { ${fields} } }`, {
      method: method.id,
      answers: answers(method.questions),
    })
  }

  /** Agrees to what the summary shows. */
  async agree() {
    const { amountOut } = await this.read()
    return this.#ask(`mutation ($id: ID!, $amountOut: Amount!) { agree(transaction: $id, amountOut: $amountOut) { ${fields} } }`, { amountOut })
  }

  markSent() {
    return this.#ask(`mutation ($id: ID!) { markSent(transaction: $id) { ${fields} } }`)
  }
}

function answers(questions) {
  return questions
    .filter((q) => q.required || sample[q.name])
    .map(({ name, value }) => {
      const answer = value ?? sample[name]
      if (!answer) throw new Error(`the page asks for ${name}, and there is no sample answer`)
      return { name, value: answer }
    })
}

async function post(url, headers, body) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`POST ${url.pathname} answered ${answer.status}: ${text}`)
  return JSON.parse(text)
}
