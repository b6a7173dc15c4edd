// The wallet: a customer's key and the Stellar wallet SDK, unmodified. It knows
// the anchor's home domain and the network, and nothing else of the anchor.

import walletSdk from '@stellar/typescript-wallet-sdk'
import { setTimeout as pause } from 'node:timers/promises'

const { IssuedAssetId, NativeAssetId, StellarConfiguration, Wallet: Sdk } = walletSdk

const pollEvery = 250
const over = ['completed', 'refunded', 'expired', 'error']

// The SDK's HTTP client would take a proxy from the environment even for this
// machine's own addresses.
for (const name of ['NO_PROXY', 'no_proxy']) process.env[name] = [process.env[name], 'localhost,127.0.0.1'].filter(Boolean).join(',')

/** The SDK for this network, and its view of the anchor. */
export function connect({ anchorUrl, horizon }) {
  const stellarConfiguration = StellarConfiguration.TestNet()
  // The SDK refuses a Horizon over plain http unless its server is set by hand.
  const Server = stellarConfiguration.server.constructor
  stellarConfiguration.horizonUrl = horizon
  stellarConfiguration.server = new Server(horizon, { allowHttp: horizon.startsWith('http:') })

  const sdk = new Sdk({ stellarConfiguration })
  return { sdk, anchor: sdk.anchor({ homeDomain: new URL(anchorUrl).host, allowHttp: anchorUrl.startsWith('http:') }) }
}

/** Reads the anchor's stellar.toml and makes a key. Nothing is on the ledger yet. */
export async function openWallet({ anchorUrl, horizon, asset: code }) {
  const { sdk, anchor } = connect({ anchorUrl, horizon })
  const toml = await anchor.sep1()
  const currency = toml.currencies.find((c) => !code || c.code === code)
  if (!currency) throw new Error(`stellar.toml offers no ${code ?? 'currency'}`)
  return new Wallet(sdk.stellar(), anchor, horizon, toml, new IssuedAssetId(currency.code, currency.issuer))
}

class Wallet {
  #stellar
  #anchor
  #horizon
  #key
  #token

  constructor(stellar, anchor, horizon, toml, asset) {
    this.#stellar = stellar
    this.#anchor = anchor
    this.#horizon = horizon
    this.#key = stellar.account().createKeypair()
    this.toml = toml
    this.asset = asset
  }

  get token() {
    return this.#token
  }

  get address() {
    return this.#key.publicKey
  }

  /** Friendbot creates the account; the answer is the hash. */
  async fund() {
    const answer = await fetch(`${this.#horizon}/friendbot?addr=${this.address}`)
    if (!answer.ok) throw new Error(`friendbot answered ${answer.status}: ${await answer.text()}`)
    return (await answer.json()).hash
  }

  /** Adds the trustline; the answer is the hash. */
  async trust() {
    return this.#submit((builder) => builder.addAssetSupport(this.asset))
  }

  /** SEP-10; more is what else the SDK is to be given, such as a clientDomain. */
  async signIn(more = {}) {
    const auth = await this.#anchor.sep10()
    this.#token = await auth.authenticate({ accountKp: this.#key, ...more })
  }

  /** SEP-24; the answer is {id, url, type}. */
  async start(kind, { lang = 'en' } = {}) {
    const params = { assetCode: this.asset.code, authToken: this.#token, lang }
    const sep24 = this.#anchor.sep24()
    return kind === 'deposit'
      ? sep24.deposit({ ...params, destinationAccount: this.address })
      : sep24.withdraw({ ...params, withdrawalAccount: this.address })
  }

  /** The transaction as GET /transaction answers now. */
  async transaction(id) {
    return this.#anchor.sep24().getTransactionBy({ authToken: this.#token, id })
  }

  /**
   * Polls a transaction until it is over. check sees every answer and may throw.
   *
   *   until(holds)   the first answer that holds(answer), or the reason why there is none
   *   statuses       those seen, in order
   *   stop()         polls no more
   */
  follow(id, { check = () => {}, within = 60_000 } = {}) {
    return new Follower(() => this.transaction(id), check, within)
  }

  /** Sends what a withdrawal waits for, with its memo; the answer is the hash. */
  async pay(transaction) {
    return this.#submit((builder) => builder.transferWithdrawalTransaction(transaction, this.asset))
  }

  /** Sends lumens to anybody, without a memo; the answer is the hash. */
  async sendLumens(to, amount) {
    return this.#submit((builder) => builder.transfer(to, new NativeAssetId(), amount))
  }

  async #submit(build) {
    const builder = await this.#stellar.transaction({ sourceAddress: this.#key, baseFee: 1000 })
    const transaction = build(builder).build()
    this.#key.sign(transaction)
    try {
      await this.#stellar.submitTransaction(transaction)
    } catch (problem) {
      const codes = problem.response?.data?.extras?.result_codes
      throw codes ? new Error(`the network refused it: ${JSON.stringify(codes)}`) : problem
    }
    return transaction.hash().toString('hex')
  }
}

class Follower {
  statuses = []
  polls = 0
  #latest
  #failure
  #stopped = false
  #waiting = []

  constructor(poll, check, within) {
    this.#run(poll, check, Date.now() + within)
  }

  async #run(poll, check, deadline) {
    try {
      while (!this.#stopped) {
        const transaction = await poll()
        check(transaction)
        this.polls++
        this.#latest = transaction
        if (this.statuses.at(-1) !== transaction.status) this.statuses.push(transaction.status)
        this.#tell()
        if (over.includes(transaction.status)) throw new Error(`the transaction ended as ${transaction.status}: ${transaction.message}`)
        if (Date.now() > deadline) throw new Error(`time is up, and the transaction is still ${transaction.status}`)
        await pause(pollEvery)
      }
    } catch (problem) {
      this.#failure = problem
      this.#tell()
    }
  }

  #tell() {
    this.#waiting = this.#waiting.filter(({ holds, resolve, reject }) => {
      if (this.#latest && holds(this.#latest)) resolve(this.#latest)
      else if (this.#failure) reject(this.#failure)
      else return true
      return false
    })
  }

  until(holds) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ holds, resolve, reject })
      this.#tell()
    })
  }

  stop() {
    this.#stopped = true
  }
}
