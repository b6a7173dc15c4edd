// The Stellar side of the wallet: the wallet SDK, set up for the network that
// the page was served with.

import { type Anchor, IssuedAssetId, NativeAssetId, SigningKeypair, type Stellar, StellarConfiguration, Wallet } from '@stellar/typescript-wallet-sdk'
import type { Horizon } from '@stellar/stellar-sdk'

/** One that the anchor offers: lumens are "native", and have no issuer. */
export interface Asset {
  code: string
  issuer: string
}

/** The code that people know it by. */
export const symbol = (asset: Asset) => (asset.code === 'native' ? 'XLM' : asset.code)

/** The asset as the wallet SDK wants it. */
export const assetId = (asset: Asset) => (asset.issuer ? new IssuedAssetId(asset.code, asset.issuer) : new NativeAssetId())

/** What the server puts into the page. */
export interface Boot {
  homeDomain: string
  horizon: string
  friendbot: string
  passphrase: string
  assets: Asset[]
  /** Those that the anchor speaks, by their codes. */
  languages: string[]
  bank: string
}

export interface Client {
  stellar: Stellar
  /** The anchor, spoken to in a language. */
  anchor(language: string): Anchor
}

/**
 * A sandbox speaks plain http. For the anchor the SDK allows that by a flag, on
 * the test network's passphrase only. For Horizon it has no flag, so the
 * configuration gets its server by hand: of the SDK's own class, since a second
 * copy of the Stellar library would weigh a megabyte and fail its type checks.
 */
export function client(boot: Boot): Client {
  const stellarConfiguration = StellarConfiguration.TestNet()
  const Server = stellarConfiguration.server.constructor as typeof Horizon.Server
  stellarConfiguration.horizonUrl = boot.horizon
  stellarConfiguration.server = new Server(boot.horizon, { allowHttp: boot.horizon.startsWith('http:') })
  stellarConfiguration.network = boot.passphrase as typeof stellarConfiguration.network

  const wallet = new Wallet({ stellarConfiguration })
  return {
    stellar: wallet.stellar(),
    anchor: (language) => wallet.anchor({
      homeDomain: boot.homeDomain,
      allowHttp: location.protocol === 'http:',
      language,
    }),
  }
}

// The key stays in this browser. That is fine for play money and for nothing else.
const stored = 'windlass-demo-wallet'

export function loadKey(): SigningKeypair | null {
  try {
    const secret = localStorage.getItem(stored)
    return secret ? SigningKeypair.fromSecret(secret) : null
  } catch {
    return null
  }
}

export function storeKey(key: SigningKeypair) {
  localStorage.setItem(stored, key.secretKey)
}

export function forgetKey() {
  localStorage.removeItem(stored)
  localStorage.removeItem(paid)
}

// Which transactions were paid, and how. It is written before the payment is
// submitted, so that closing the page in between cannot make it pay twice.
const paid = 'windlass-demo-wallet-paid'

function payments(): Record<string, string> {
  return JSON.parse(localStorage.getItem(paid) ?? '{}') as Record<string, string>
}

export function paidWith(transaction: string): string | undefined {
  return payments()[transaction]
}

export function rememberPaid(transaction: string, hash: string) {
  localStorage.setItem(paid, JSON.stringify({ ...payments(), [transaction]: hash }))
}

export function forgetPaid(transaction: string) {
  const { [transaction]: _, ...others } = payments()
  localStorage.setItem(paid, JSON.stringify(others))
}
