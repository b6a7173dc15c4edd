import type { Asset, Transaction } from './model'

const usd: Asset = { id: 'iso4217:USD', code: 'USD', issuer: null, decimals: 2, onLedger: false }
const usdw: Asset = { id: 'stellar:USDW:GISSUER', code: 'USDW', issuer: 'GISSUER', decimals: 2, onLedger: true }

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
      methods: [{ id: 'bank_transfer', label: 'Bank transfer', questions: [], saved: [] }],
    },
    questions: [],
    review: 'none',
    method: null,
    last: null,
    instructions: [],
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
