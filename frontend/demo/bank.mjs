// The simulated bank, as the page at /bank talks to it.

export function openBank(anchorUrl) {
  return {
    async statement() {
      const answer = await fetch(new URL('/bank/api/statement', anchorUrl))
      if (!answer.ok) throw new Error(`the bank's statement answered ${answer.status}: ${await answer.text()}`)
      return answer.json()
    },

    /** Sends money to the anchor's account; the answer is the line. */
    async transfer({ amount, currency = 'USD', reference, name = 'Alex Rivera', account = '000123456789' }) {
      const answer = await fetch(new URL('/bank/api/transfers', anchorUrl), {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ amount, currency, reference, payer_name: name, payer_account: account }),
      })
      if (answer.status !== 201) throw new Error(`the bank refused the transfer with ${answer.status}: ${await answer.text()}`)
      return answer.json()
    },
  }
}
