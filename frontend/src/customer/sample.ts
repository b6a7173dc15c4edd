import type { Asset, Method, Question, Transaction } from './model'

const usd: Asset = { id: 'iso4217:USD', code: 'USD', issuer: null, decimals: 2, onLedger: false }
const usdw: Asset = { id: 'stellar:USDW:GISSUER', code: 'USDW', issuer: 'GISSUER', decimals: 2, onLedger: true }

/** A way to pay for tests. */
export const method = (id: string, label: string, questions: Question[] = []): Method => ({
  id,
  label,
  minimum: '10',
  maximum: '1000',
  takes: null,
  price: null,
  questions,
  saved: [],
})

/** A transaction for tests: a fresh one, with whatever a test wants otherwise. */
export function sample(more: Partial<Transaction> = {}): Transaction {
  const kind = more.kind ?? 'deposit'
  return {
    id: '0198',
    kind,
    status: 'incomplete',
    message: '',
    asset: { ...usdw, name: 'US dollar' },
    assetIn: kind === 'deposit' ? usd : usdw,
    assetOut: kind === 'deposit' ? usdw : usd,
    amountIn: null,
    amountOut: null,
    fee: null,
    amountRefunded: null,
    refundFee: null,
    rate: null,
    requestedAmount: null,
    terms: {
      minimum: '10',
      maximum: '1000',
      feeFixed: '1',
      feePercent: '0.5',
      methods: [method('bank_transfer', 'Bank transfer')],
    },
    questions: [],
    review: 'none',
    method: null,
    last: null,
    instructions: [],
    paymentCode: null,
    pickup: null,
    deadline: null,
    timeline: [],
    account: 'GACCOUNT',
    wallet: null,
    stellarTransactionId: null,
    explorerUrl: null,
    externalTransactionId: null,
    supportReference: '0198',
    startedAt: '2026-11-22T10:00:00Z',
    updatedAt: '2026-11-22T10:00:00Z',
    completedAt: null,
    lang: 'en',
    callback: null,
    onChangeCallback: null,
    appUrl: null,
    postMessageOrigin: '*',
    sep24: {},
    moreInfoUrl: '',
    ...more,
  }
}
