// The wallet: what its buttons do, and what it remembers.

import { type Anchor, IssuedAssetId, type SigningKeypair, type Types } from '@stellar/typescript-wallet-sdk'
import { type Asset, type Boot, type Client, assetId, client, forgetKey, forgetPaid, loadKey, paidWith, rememberPaid, storeKey, symbol } from './client'
import { Exchange, add, listen, recorded } from './exchanges.svelte'
import { Ledger } from './ledger.svelte'
import { assetCode, shown, units } from './money'
import { Popup } from './popup'
import { Run, type Step, type Transaction, sentence } from './run.svelte'

type Token = Types.AuthToken
type Direction = 'deposit' | 'withdrawal'

const over = ['completed', 'refunded', 'expired']
const pollEvery = 1000

export class DemoWallet {
  readonly boot: Boot
  /** What is deposited and withdrawn. */
  asset = $state.raw<Asset>({ code: '', issuer: '' })
  address = $state('')
  ledger = $state.raw<Ledger | null>(null)
  /** Newest first. */
  runs = $state<Run[]>([])
  /** The transactions at the anchor, newest first. */
  history = $state.raw<Transaction[]>([])
  /** How the list was asked for the last time. */
  asked = $state<Exchange[]>([])
  language = $state('en')
  busy = $state(false)

  readonly #client: Client
  #key: SigningKeypair | null = null
  #token: Token | null = null
  /** The step that the SDK is working for. */
  #current: Step | null = null
  /** The steps that poll, by the transaction they poll. */
  #polling = new Map<string, Step>()
  #anchors = new Map<string, Anchor>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(boot: Boot) {
    this.boot = boot
    this.asset = boot.assets[0]!
    this.#client = client(boot)
    listen((e) => this.#file(e))
  }

  /** Polls and lists run beside everything else, so they go by their address. */
  #file(e: Exchange) {
    if (e.url.pathname.endsWith('/transactions') && e.method === 'GET') {
      add(this.asked, e)
      if (this.asked.length > 1) this.asked.shift()
    } else if (e.url.pathname.endsWith('/transaction')) {
      this.#polling.get(e.url.searchParams.get('id') ?? '')?.record(e)
    } else {
      this.#current?.record(e)
    }
  }

  /** The anchor, in the chosen language. It keeps the stellar.toml it read. */
  get #anchor(): Anchor {
    let anchor = this.#anchors.get(this.language)
    if (!anchor) this.#anchors.set(this.language, (anchor = this.#client.anchor(this.language)))
    return anchor
  }

  // One thing at a time talks for a step, else its exchanges could not be told apart.
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work)
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #step<T>(run: Run, title: string, about: string, work: (step: Step) => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      const step = (this.#current = run.begin(title, about))
      try {
        const result = await work(step)
        step.finish('done')
        return result
      } catch (problem) {
        step.finish('failed', sentence(problem))
        throw problem
      } finally {
        this.#current = null
      }
    })
  }

  #start(title: string): Run {
    this.runs.unshift(new Run(title))
    return this.runs[0]!
  }

  // ---- The account ----

  /** Opens the wallet that this browser remembers, if there is one. */
  async open() {
    const key = loadKey()
    if (!key) return
    await this.#use(key)
    if (!this.ledger?.exists) return
    const run = this.#start('Open the wallet')
    try {
      await this.#signIn(run)
      await this.refresh()
    } catch {
      return // the step says what went wrong
    } finally {
      run.over = true
    }
    for (const tx of this.history.filter((t) => !over.includes(t.status ?? '')).slice(0, 3)) void this.#resume(tx)
  }

  async #use(key: SigningKeypair) {
    this.#key = key
    this.ledger?.close()
    const ledger = new Ledger(this.boot, this.#client, key.publicKey)
    await ledger.open()
    this.ledger = ledger
    this.address = key.publicKey
  }

  /** Makes a key, has friendbot create the account and looks at it. */
  async create() {
    await this.#busy(async () => {
      const run = this.#start('Create an account')
      try {
        const key = await this.#step(run, 'Make a key pair', 'An account on Stellar is a key pair. The secret half stays in this browser.', async (step) => {
          const made = loadKey() ?? this.#client.stellar.account().createKeypair()
          step.result = made.publicKey
          return made
        })
        await this.#step(run, 'Ask friendbot for lumens', 'An account exists once someone sends it lumens (XLM). On test networks friendbot does.', async (step) => {
          const { status, text } = await recorded((e) => step.record(e), `${this.boot.friendbot}?addr=${key.publicKey}`)
          if (status !== 200) throw new Error(`Friendbot answered ${status}.`)
          step.hash = (JSON.parse(text) as { hash?: string }).hash ?? ''
        })
        await this.#step(run, 'Look at the account', 'Horizon is the network’s HTTP API. Balances come from here, not from the anchor.', async (step) => {
          const info = await this.#client.stellar.account().getInfo({ accountAddress: key.publicKey })
          step.result = info.balances.map((b) => `${shown(b.balance)} ${'asset_code' in b ? b.asset_code : 'XLM'}`).join(', ')
        })
        storeKey(key)
        await this.#use(key)
      } finally {
        run.over = true
      }
    })
  }

  /** Forgets the key: what the account holds is lost. */
  forget() {
    forgetKey()
    this.ledger?.close()
    location.reload()
  }

  /** Adds the trustline by itself, without a deposit. */
  async trust() {
    await this.#busy(async () => {
      const run = this.#start(`Trust ${this.asset.code}`)
      try {
        await this.#trust(run, this.asset)
      } finally {
        run.over = true
      }
    })
  }

  async #trust(run: Run, asset: Asset) {
    const id = assetId(asset)
    if (!(id instanceof IssuedAssetId)) return // lumens need none
    const { code } = asset
    const key = this.#key!
    await this.#step(run, `Trust ${code}`, `An account holds only assets that it trusts. The wallet adds the trustline before the first deposit.`, async (step) => {
      const { stellar } = this.#client
      const info = await stellar.account().getInfo({ accountAddress: key.publicKey })
      if (info.balances.some((b) => 'asset_code' in b && b.asset_code === asset.code && b.asset_issuer === asset.issuer)) {
        step.result = `The account already trusts ${code}.`
        return
      }
      const builder = await stellar.transaction({ sourceAddress: key })
      const transaction = builder.addAssetSupport(id).build()
      key.sign(transaction)
      step.hash = transaction.hash().toString('hex')
      await stellar.submitTransaction(transaction)
      step.result = `The account trusts ${code} now.`
    })
    await this.ledger?.look()
  }

  // ---- Deposit and withdrawal ----

  deposit(): Promise<void> {
    return this.#transfer('deposit')
  }

  withdraw(): Promise<void> {
    return this.#transfer('withdrawal')
  }

  async #transfer(direction: Direction) {
    const popup = new Popup('Asking the anchor…')
    const run = this.#start(direction === 'deposit' ? 'Deposit' : 'Withdrawal')
    const asset = this.asset
    let asked: Types.Sep24PostResponse
    try {
      asked = await this.#busyOrThrow(() => this.#ask(run, direction, asset))
    } catch {
      popup.close()
      run.over = true
      return
    }

    const page = run.begin('Finish on the anchor’s page', 'SEP-24: the wallet opens the address in a window and adds callback=postMessage, so that the page tells it when the customer is through.')
    const address = `${asked.url}&callback=postMessage`
    const follow = run.begin('Follow the transaction', 'SEP-24: GET /transaction every second until it is over. The sentences are the anchor’s own.')
    const end = this.#follow(run, follow, asked.id!)

    popup.go(address, (message) => {
      page.record(new Exchange({ method: 'postMessage', url: asked.url!, received: JSON.stringify(message), status: 'event' }))
      page.result = `The page told: transaction ${message.transaction.id.slice(0, 8)} is ${message.transaction.status}.`
      // For a withdrawal the page stays and shows the customer the payment's way.
      if (direction === 'deposit') popup.close()
    })
    const stopWatching = this.#watchPopup(run, popup, address)
    void run.until((tx) => tx.status !== 'incomplete').then((tx) => {
      const entered = tx.status !== 'expired'
      page.finish(entered ? 'done' : 'failed', page.result || (entered ? 'Everything is entered.' : 'It was not finished.'))
      this.#offerBank(run, direction)
    })
    if (direction === 'withdrawal') {
      void run.until((tx) => tx.status === 'pending_user_transfer_start').then((tx) => this.#pay(run, tx).catch(() => {}))
    }

    await this.#finish(run, direction, await end)
    stopWatching()
  }

  /** SEP-1, the trustline, SEP-10, SEP-24: up to the address of the page. */
  async #ask(run: Run, direction: Direction, asset: Asset): Promise<Types.Sep24PostResponse> {
    const anchor = this.#anchor
    await this.#step(run, 'Find the anchor', `SEP-1: ${this.boot.homeDomain} says in its stellar.toml where its services are and which key it signs with.`, async (step) => {
      const toml = await anchor.sep1(true)
      step.result = `${toml.documentation.orgName || this.boot.homeDomain}: ${toml.transferServerSep24}`
    })
    if (direction === 'deposit') await this.#trust(run, asset)
    const token = await this.#signIn(run)
    return this.#step(run, `Ask for a ${direction}`, `SEP-24: the anchor answers with the address of a page for the customer, and an id to follow.`, async (step) => {
      const sep24 = anchor.sep24()
      const params = { assetCode: asset.code, authToken: token, lang: this.language }
      const answer = direction === 'deposit'
        ? await sep24.deposit({ ...params, destinationAccount: this.address })
        : await sep24.withdraw({ ...params, withdrawalAccount: this.address })
      step.result = `Transaction ${answer.id}`
      return answer
    })
  }

  async #signIn(run: Run): Promise<Token> {
    return this.#step(run, 'Sign in', 'SEP-10: the anchor sends a transaction that can never be submitted; signing it proves who holds the key. The answer is a token.', async (step) => {
      const auth = await this.#anchor.sep10()
      const token = await auth.authenticate({ accountKp: this.#key! })
      const hours = Math.round((Number(token.expiresAt) * 1000 - Date.now()) / 3_600_000)
      step.result = `Signed in for ${hours} hours.`
      return (this.#token = token)
    })
  }

  /** Polls until the transaction is over. Steps and history follow along. */
  #follow(run: Run, step: Step, id: string): Promise<Transaction> {
    this.#polling.set(id, step)
    const watcher = this.#anchor.sep24().watcher()
    const see = (tx: Transaction) => {
      run.see(tx)
      void this.refresh()
    }
    return new Promise((resolve) => {
      const watch = () => watcher.watchOneTransaction({
        authToken: this.#token!,
        assetCode: this.asset.code,
        id,
        lang: this.language,
        timeout: pollEvery,
        onMessage: see,
        onSuccess: (tx) => {
          see(tx)
          resolve(tx)
        },
        // The SDK's watcher gives up at a failed poll and at each status that
        // needs a person. Either may pass, so ask again a little later.
        onError: (problem) => {
          if (!(problem instanceof Error)) see(problem)
          setTimeout(watch, 3 * pollEvery)
        },
      })
      watch()
    })
  }

  async #finish(run: Run, direction: Direction, tx: Transaction) {
    const follow = this.#polling.get(tx.id!)!
    this.#polling.delete(tx.id!)
    run.offer = null
    const code = assetCode(tx.amount_out_asset)
    follow.finish(tx.status === 'completed' ? 'done' : 'failed',
      tx.status === 'completed' ? `Completed: ${shown(tx.amount_out!)} ${code} ${direction === 'deposit' ? 'came' : 'went to the bank account'}.` : `It ended as ${tx.status}.`)
    if (direction === 'deposit' && tx.status === 'completed') {
      const hash = tx.stellar_transaction_id ?? ''
      await this.#step(run, 'See the money arrive', 'The wallet listens to the account’s payments at Horizon: the balance changes by itself.', async (step) => {
        await this.ledger?.look()
        const arrival = this.ledger?.arrival(hash)
        if (arrival) step.record(arrival)
        step.hash = hash
        step.result = `The account holds ${shown(this.ledger?.holds(this.#assetOf(tx)) ?? '0')} ${code} now.`
      })
    }
    run.over = true
  }

  /** The asset on the ledger that a transaction is about. */
  #assetOf(tx: Transaction): Asset {
    const id = tx.kind === 'deposit' ? tx.amount_out_asset : tx.amount_in_asset
    return this.boot.assets.find((a) => id === `stellar:${a.code}${a.issuer && ':'}${a.issuer}`) ?? this.asset
  }

  /** The customer agreed on the page; now the wallet sends the tokens. */
  async #pay(run: Run, tx: Transaction) {
    const { stellar } = this.#client
    const asset = this.#assetOf(tx)
    const key = this.#key!
    const amount = `${shown(tx.amount_in!)} ${symbol(asset)}`
    run.offer = null
    try {
      await this.#step(run, 'Pay the anchor', `${amount} go to the anchor’s account. The memo tells it which withdrawal they are for.`, async (step) => {
        await this.ledger?.look()
        if (units(this.ledger?.holds(asset) ?? '0') < units(tx.amount_in!)) {
          throw new Error(`The account holds ${shown(this.ledger?.holds(asset) ?? '0')} ${symbol(asset)}, and the anchor waits for ${amount}. Make a deposit first.`)
        }
        const builder = await stellar.transaction({ sourceAddress: key })
        const payment = builder.transferWithdrawalTransaction(tx as Types.WithdrawTransaction, assetId(asset)).build()
        key.sign(payment)
        step.hash = payment.hash().toString('hex')
        rememberPaid(tx.id!, step.hash)
        await this.#submit(payment, tx.id!)
        step.result = `Paid ${amount} with memo ${(tx as Types.WithdrawTransaction).withdraw_memo}.`
      })
    } catch (problem) {
      if (!paidWith(tx.id!)) run.offer = { label: `Pay ${amount}`, act: () => void this.#pay(run, tx).catch(() => {}) }
      throw problem
    }
    await this.ledger?.look()
  }

  /**
   * Submits until the fate is known. Whatever is not a clear refusal may still
   * be applied, so the same bytes go again: they can be applied only once.
   */
  async #submit(payment: Parameters<Client['stellar']['submitTransaction']>[0], id: string) {
    const giveUp = Date.now() + 60_000
    for (;;) {
      try {
        await this.#client.stellar.submitTransaction(payment)
        return
      } catch (problem) {
        const status = (problem as { response?: { status?: number } }).response?.status
        if (status === 400) {
          forgetPaid(id)
          throw problem
        }
        if (Date.now() > giveUp) throw new Error('The network did not answer. The payment may still arrive.')
        await new Promise((resolve) => setTimeout(resolve, 2000))
      }
    }
  }

  /** Takes up a transaction that was under way when the page was closed. */
  async #resume(tx: Transaction) {
    const direction: Direction = tx.kind === 'deposit' ? 'deposit' : 'withdrawal'
    const run = this.#start(`${direction === 'deposit' ? 'Deposit' : 'Withdrawal'}, continued`)
    const end = this.#follow(run, run.begin('Follow the transaction', 'SEP-24: GET /transaction every second until it is over.'), tx.id!)
    const now = await run.until(() => true)
    if (now.status === 'incomplete') run.offer = { label: 'Continue on the anchor’s page', href: now.more_info_url }
    void run.until((t) => t.status !== 'incomplete').then(() => this.#offerBank(run, direction))
    if (direction === 'withdrawal') {
      void run.until((t) => t.status === 'pending_user_transfer_start').then((t) => {
        if (!paidWith(t.id!)) run.offer = { label: `Pay ${shown(t.amount_in!)} ${assetCode(t.amount_in_asset)}`, act: () => void this.#pay(run, t).catch(() => {}) }
      })
    }
    await this.#finish(run, direction, await end)
  }

  /** A window that was blocked or closed too early can be had again. */
  #watchPopup(run: Run, popup: Popup, address: string): () => void {
    let blocked = !popup.open
    const timer = setInterval(() => {
      if (run.transaction && run.transaction.status !== 'incomplete') return clearInterval(timer)
      if (popup.open) return
      const href = blocked ? address : (run.transaction?.more_info_url ?? '')
      if (!href || run.offer?.href === href) return
      run.offer = { label: blocked ? 'Open the anchor’s page' : 'Open the anchor’s page again', href }
      blocked = false
    }, 500)
    return () => clearInterval(timer)
  }

  #offerBank(run: Run, direction: Direction) {
    run.offer = null
    const tx = run.transaction
    if (direction !== 'deposit' || !tx?.amount_in || !['pending_user_transfer_start', 'pending_external'].includes(tx.status ?? '')) return
    run.offer = { label: 'Send the money at the simulated bank', href: `${this.boot.bank}#amount=${encodeURIComponent(tx.amount_in)}` }
    void run.until((t) => !['pending_user_transfer_start', 'pending_external'].includes(t.status ?? '')).then(() => (run.offer = null))
  }

  // ---- History ----

  /** Reads the list of transactions again. */
  async refresh() {
    if (!this.#token) return
    try {
      const authToken = this.#token
      const lists = this.boot.assets.map(({ code }) => this.#anchor.sep24().getTransactionsForAsset({ authToken, assetCode: code, limit: 20 }))
      this.history = (await Promise.all(lists)).flat().sort((a, b) => (b.started_at ?? '').localeCompare(a.started_at ?? ''))
    } catch {
      // The next change asks again.
    }
  }

  async #busyOrThrow<T>(work: () => Promise<T>): Promise<T> {
    this.busy = true
    try {
      return await work()
    } finally {
      this.busy = false
    }
  }

  async #busy(work: () => Promise<void>) {
    try {
      await this.#busyOrThrow(work)
    } catch {
      // The failed step says what happened.
    }
  }
}
