/** The parts of schema.graphqls that the customer's page reads. */

export type Kind = 'deposit' | 'withdrawal'

export type Status =
  | 'incomplete'
  | 'pending_user'
  | 'pending_user_transfer_start'
  | 'pending_external'
  | 'pending_anchor'
  | 'on_hold'
  | 'pending_trust'
  | 'pending_stellar'
  | 'pending_user_transfer_complete'
  | 'completed'
  | 'refunded'
  | 'expired'
  | 'no_market'
  | 'too_small'
  | 'too_large'
  | 'error'

export interface Asset {
  id: string
  code: string
  issuer: string | null
  decimals: number
  onLedger: boolean
}

export interface Fee {
  total: string
  asset: Asset
  lines: { name: string; label: string; amount: string }[]
}

/** What one unit of the asset on the ledger is worth in what the bank moves; null where as much is given as comes in. */
export type Rate = string | null

export interface Price {
  amountIn: string
  amountOut: string
  fee: Fee
  rate: Rate
}

export interface Option {
  value: string
  label: string
}

export interface Question {
  name: string
  label: string
  help: string | null
  type: 'text' | 'email' | 'phone' | 'date' | 'country' | 'choice' | 'account_number' | 'file'
  options: Option[]
  required: boolean
  /** Asked from this amount on; null where it is asked of everybody. */
  from: string | null
  /** Whether the customer has said it; what the wallet filled in is not theirs. */
  answered: boolean
  autocomplete: string
  /** The first and the last day that a date may be. */
  earliest: string | null
  latest: string | null
  value: string | null
  /** Enough of the answer to recognize it, where it is a saved account's and no value. */
  masked: string | null
}

/** An account that the customer used before. */
export interface SavedAccount {
  id: string
  label: string
  usedAt: string
  /** Whether this transaction uses it. */
  chosen: boolean
}

export interface Method {
  id: string
  label: string
  /** What it takes; price is null where it does not take the present amount. */
  minimum: string
  maximum: string
  price: { amountOut: string; fee: { total: string; asset: Asset } } | null
  /** How long it usually takes, in seconds. */
  takes: number | null
  questions: Question[]
  saved: SavedAccount[]
}

/** What the customer did last, where it can be done again. */
export interface LastTime {
  amountIn: string
  method: Pick<Method, 'id' | 'label'>
  account: SavedAccount | null
}

export interface Terms {
  minimum: string
  maximum: string
  feeFixed: string
  feePercent: string
  methods: Method[]
}

export interface Instruction {
  name: string
  label: string
  value: string
  important: boolean
  help: string | null
}

export interface Step {
  at: string
  event: string
  from: Status
  to: Status
  label: string
}

export interface Transaction {
  id: string
  kind: Kind
  status: Status
  message: string
  asset: Asset & { name: string | null }
  assetIn: Asset
  assetOut: Asset
  amountIn: string | null
  amountOut: string | null
  fee: Fee | null
  amountRefunded: string | null
  refundFee: string | null
  rate: Rate
  requestedAmount: string | null
  terms: Terms
  questions: Question[]
  review: 'none' | 'pending' | 'accepted' | 'correction' | 'rejected'
  method: string | null
  last: LastTime | null
  instructions: Instruction[]
  /** What a QR code for paying carries. */
  paymentCode: string | null
  /** How the cash that lies ready is collected. */
  pickup: { code: string; place: string } | null
  deadline: string | null
  timeline: Step[]
  account: string
  wallet: string | null
  stellarTransactionId: string | null
  explorerUrl: string | null
  externalTransactionId: string | null
  supportReference: string
  startedAt: string
  updatedAt: string
  completedAt: string | null
  lang: string
  callback: string | null
  onChangeCallback: string | null
  /** Set where the callback is the address of the wallet's app. */
  appUrl: string | null
  postMessageOrigin: string
  sep24: unknown
  moreInfoUrl: string
}

export interface Answer {
  name: string
  value: string
}
