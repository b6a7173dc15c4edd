// Every call of the wallet SDK that concerns SEP-1, 10 and 24, as the wallets make
// them that are built with it.

import walletSdk from '@stellar/typescript-wallet-sdk'
import { Memo } from '@stellar/stellar-sdk'
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { openBank } from '../demo/bank.mjs'
import { openPage } from '../demo/page.mjs'
import { connect, openWallet } from '../demo/wallet.mjs'

const { DefaultAuthHeaderSigner } = walletSdk

export async function everyCall({ public: anchorUrl, horizon }) {
  const { sdk, anchor } = connect({ anchorUrl, horizon })

  // SEP-1, read once and again.
  const toml = await anchor.sep1()
  assert.deepEqual(await anchor.getInfo(true), toml)
  assert.ok(toml.transferServerSep24 && toml.webAuthEndpoint && toml.signingKey && toml.accounts.length)
  const [currency] = toml.currencies
  assert.ok(currency.code && currency.issuer && currency.desc && currency.isAssetAnchored && currency.anchorAssetType)

  // SEP-10: an account that does not exist, the same with a memo, and one that
  // signs its request as well.
  const key = sdk.stellar().account().createKeypair()
  const auth = await anchor.sep10()
  const token = await auth.authenticate({ accountKp: key })
  assert.equal(token.account, key.publicKey)
  const shared = sdk.stellar().account().createKeypair()
  const memos = await Promise.all(['1', '18446744073709551615'].map((memoId) => auth.authenticate({ accountKp: shared, memoId })))
  assert.deepEqual(memos.map((t) => [t.account, t.memo]), [[shared.publicKey, '1'], [shared.publicKey, '18446744073709551615']])
  const signed = await auth.authenticate({ accountKp: key, authHeaderSigner: new DefaultAuthHeaderSigner() })
  assert.equal(signed.account, key.publicKey)

  // SEP-24: what there is.
  const sep24 = anchor.sep24()
  const info = await sep24.info(true, 'es')
  assert.deepEqual(await sep24.getServicesInfo(), await anchor.getServicesInfo())
  assert.ok(info.deposit[currency.code].enabled && info.withdraw[currency.code].enabled && 'enabled' in info.fee && 'account_creation' in info.features)

  // Starts, with all that the SDK can send along.
  const other = sdk.stellar().account().createKeypair().publicKey
  const start = await sep24.deposit({
    assetCode: currency.code, authToken: token, lang: 'es-MX', destinationAccount: other, destinationMemo: Memo.text('for Ana'),
    extraFields: { email_address: 'ana@example.org', amount: '25' },
  })
  assert.deepEqual(Object.keys(start).sort(), ['id', 'type', 'url'])
  const asked = await sep24.getTransactionBy({ authToken: token, id: start.id, lang: 'en' })
  assert.deepEqual([asked.to, asked.deposit_memo, asked.deposit_memo_type, asked.status], [other, 'for Ana', 'text', 'incomplete'])
  const away = await sep24.withdraw({ assetCode: currency.code, authToken: token, withdrawalAccount: other })
  assert.equal((await sep24.getTransactionBy({ authToken: token, id: away.id })).from, other)
  await assert.rejects(sep24.deposit({ assetCode: 'NOPE', authToken: token }), /NOPE/)
  await assert.rejects(sep24.getTransactionBy({ authToken: memos[0], id: start.id }))

  // The history, by each filter.
  const list = (filter, authToken = token) => sep24.getTransactionsForAsset({ authToken, assetCode: currency.code, ...filter })
  const ids = async (filter, authToken) => (await list(filter, authToken)).map((t) => t.id)
  assert.deepEqual(await ids({}), [away.id, start.id])
  assert.deepEqual(await ids({ kind: 'deposit', lang: 'es' }), [start.id])
  assert.deepEqual(await ids({ limit: 1 }), [away.id])
  assert.deepEqual(await ids({ pagingId: away.id }), [start.id])
  assert.deepEqual(await ids({ noOlderThan: asked.started_at }), [away.id, start.id])
  assert.deepEqual(await ids({ noOlderThan: new Date(Date.now() + 60_000).toISOString() }), [])
  assert.deepEqual(await ids({}, memos[1]), [])

  await watched({ anchorUrl, horizon, anchor, sep24, code: currency.code })
}

/** A deposit to its end under both watchers of the SDK. */
async function watched({ anchorUrl, horizon, anchor, sep24, code }) {
  const wallet = await openWallet({ anchorUrl, horizon, asset: code })
  await wallet.fund()
  await wallet.trust()
  await wallet.signIn()
  const { id, url } = await wallet.start('deposit')

  const seen = []
  const all = []
  const done = new Promise((resolve, reject) => {
    anchor.sep24().watcher().watchOneTransaction({
      authToken: wallet.token, assetCode: code, id, timeout: 200,
      onMessage: (t) => seen.push(t.status), onSuccess: resolve, onError: reject,
    })
  })
  // A watcher of its own: what one has told of, the same one does not tell again.
  const rest = anchor.sep24().watcher().watchAllTransactions({
    authToken: wallet.token, assetCode: code, timeout: 200, onMessage: (t) => all.push(t.status), onError: (t) => all.push(t.status ?? t),
  })

  const page = await openPage(url)
  await page.introduce()
  await page.enter('30')
  await page.choose()
  const { instructions } = await page.agree()
  await until(() => seen.includes('pending_user_transfer_start'), () => `the watcher of one saw ${seen}`)
  await openBank(anchorUrl).transfer({ amount: '30', reference: instructions.find((i) => i.name === 'reference').value })
  const ended = await done
  assert.equal(ended.status, 'completed')
  await until(() => all.includes('completed'), () => `the watcher of all saw ${all}`)
  rest.stop()

  const by = (names) => sep24.getTransactionBy({ authToken: wallet.token, ...names })
  assert.equal((await by({ stellarTransactionId: ended.stellar_transaction_id })).id, id)
  assert.equal((await by({ externalTransactionId: ended.external_transaction_id })).id, id)
}

async function until(holds, what) {
  for (const end = Date.now() + 30_000; !holds(); await pause(50)) assert.ok(Date.now() < end, what())
}
