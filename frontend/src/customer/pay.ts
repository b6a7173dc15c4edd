import type { Network } from '../lib/boot'
import type { Transaction } from './model'

const memoTypes: Record<string, string> = { id: 'MEMO_ID', text: 'MEMO_TEXT', hash: 'MEMO_HASH' }

/**
 * The SEP-7 request to pay a withdrawal, for wallets that did not open this
 * page. Null while there is nothing to pay, and on a test network whose
 * passphrase the page was not told: without one, SEP-7 means real money.
 */
export function paymentRequest(tx: Transaction, network: Network): string | null {
  const value = (name: string) => tx.instructions.find((row) => row.name === name)?.value
  const destination = value('account')
  if (!destination || tx.amountIn === null || (network.test && !network.passphrase)) return null
  const parameters: [string, string | null | undefined][] = [
    ['destination', destination],
    ['amount', tx.amountIn],
    ['asset_code', tx.asset.issuer && tx.asset.code],
    ['asset_issuer', tx.asset.issuer],
    ['memo', value('memo')],
    ['memo_type', value('memo') && memoTypes[value('memo_type') ?? 'id']],
    ['network_passphrase', network.test ? network.passphrase : null],
  ]
  return (
    'web+stellar:pay?' +
    parameters
      .filter(([, value]) => value)
      .map(([name, value]) => `${name}=${encodeURIComponent(value!)}`)
      .join('&')
  )
}
