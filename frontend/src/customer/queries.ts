/** What the page asks of the server, as text: no GraphQL library travels to the customer. */

const asset = 'id code issuer decimals onLedger'
const fee = `total asset { ${asset} } lines { name label amount }`
const question = 'name label help type options { value label } required from answered autocomplete earliest latest value masked'
const saved = 'id label usedAt chosen'

const fields = `{
  id kind status message
  asset { ${asset} name } assetIn { ${asset} } assetOut { ${asset} }
  amountIn amountOut fee { ${fee} } amountRefunded refundFee rate requestedAmount
  terms { minimum maximum feeFixed feePercent methods { id label minimum maximum takes price { amountOut fee { total asset { ${asset} } } } questions { ${question} } saved { ${saved} } } }
  questions { ${question} } review method last { amountIn method { id label } account { ${saved} } }
  instructions { name label value important help } paymentCode pickup { code place } deadline
  timeline { at event from to label }
  account wallet stellarTransactionId explorerUrl externalTransactionId supportReference
  startedAt updatedAt completedAt lang callback onChangeCallback appUrl postMessageOrigin sep24 moreInfoUrl
}`

export const transaction = `query Transaction($id: ID!) { transaction(id: $id) ${fields} }`

export const changes = `subscription Changes($id: ID!) { transaction(id: $id) ${fields} }`

export const price = `query Price($id: ID!, $amountIn: Amount, $amountOut: Amount) {
  price(transaction: $id, amountIn: $amountIn, amountOut: $amountOut) { amountIn amountOut fee { ${fee} } rate }
}`

/** Every mutation answers with the transaction as it is afterwards. */
function mutation(name: string, inputs: Record<string, string> = {}): string {
  const declared = Object.entries(inputs).map(([input, type]) => `, $${input}: ${type}`)
  const passed = Object.keys(inputs).map((input) => `, ${input}: $${input}`)
  return `mutation ${name}($id: ID!${declared.join('')}) { transaction: ${name}(transaction: $id${passed.join('')}) ${fields} }`
}

export const answer = mutation('answer', { answers: '[Answer!]!' })
export const attach = mutation('attach', { name: 'ID!', file: 'Upload!' })
export const setAmount = mutation('setAmount', { amountIn: 'Amount', amountOut: 'Amount' })
export const chooseMethod = mutation('chooseMethod', { method: 'ID!', answers: '[Answer!]!', saved: 'ID' })
export const forgetAccount = mutation('forgetAccount', { saved: 'ID!' })
export const agree = mutation('agree', { amountOut: 'Amount!', rate: 'String' })
export const markSent = mutation('markSent')
export const cancel = mutation('cancel')
export const setLanguage = mutation('setLanguage', { lang: 'String!' })
