// What wallets do: they come back, hear, hand over, and call.

import walletSdk from '@stellar/typescript-wallet-sdk'
import assert from 'node:assert/strict'
import { openWallet } from '../../demo/wallet.mjs'
import { appScheme } from '../anchors.mjs'
import { phone } from '../browser.mjs'
import { startClient } from '../client.mjs'
import { AnchorPage, WalletPage } from '../pages.mjs'
import { everyCall } from '../sdk.mjs'
import { depositUpToPaying, enterWithdrawal, payAndArrive, until, wishes } from '../walks.mjs'
import { words } from '../words.mjs'

const { DomainSigner } = walletSdk

export const scenarios = {
  async 'a window closed too early is had again'({ visitor, anchor, look }) {
    const t = words('en')
    const wallet = await WalletPage.open(visitor, anchor)
    await wallet.createAccount()
    const first = await visitor.popup(() => wallet.button('Deposit').click())
    const early = new AnchorPage(first, t)
    await early.who()
    await early.press('page.continue')
    await early.heading(t('page.amount.deposit')).waitFor()
    await first.close()

    const again = await visitor.popup(() => wallet.page.getByRole('link', { name: 'Open the anchor’s page again' }).click())
    const page = new AnchorPage(again, t)
    await page.amount('deposit', '100', '98.50', 'USDW')
    await look(again, 'amount-again')
    await page.press('page.continue')
    await page.summary('deposit')
    await page.press('page.agree.deposit')
    await again.getByRole('button', { name: t('page.sent'), exact: true }).waitFor()
    await payAndArrive(visitor, anchor, wallet, await page.instruction('reference'))
    await wallet.step('See the money arrive', 'Done').waitFor()
  },

  async 'a wallet that was closed goes on'({ visitor, anchor, look }) {
    const t = words('en')
    const first = await WalletPage.open(visitor, anchor)
    await first.createAccount()
    const page = await depositUpToPaying(visitor, first, t, async () => {})
    const reference = await page.instruction('reference')
    await first.page.reload()
    await first.page.getByRole('heading', { name: 'Deposit, continued', level: 2 }).waitFor()
    await payAndArrive(visitor, anchor, first, reference)
    await first.step('See the money arrive', 'Done').waitFor()

    const popup = await visitor.popup(() => first.button('Withdraw').click())
    const out = new AnchorPage(popup, t)
    await out.heading(t('page.amount.withdrawal')).waitFor()
    await first.page.close()
    await out.amount('withdrawal', '50', '47.75', 'USD')
    await out.press('page.continue')
    await out.summary('withdrawal')
    await out.press('page.agree.withdrawal')
    await popup.getByRole('button', { name: t('page.back_to_wallet', { wallet: t('page.your_wallet') }) }).waitFor()

    // Nothing was paid: the wallet that would have done it is gone.
    const second = await WalletPage.open(visitor, anchor)
    await second.balance('98.50', 'USDW')
    await second.button('Pay 50.00 USDW').waitFor()
    await look(second.page, 'wallet-to-pay')
    await second.button('Pay 50.00 USDW').click()
    await second.step('Pay the anchor', 'Done').waitFor()
    await second.balance('48.50', 'USDW')
    await second.transaction('Withdrawal', 'completed').waitFor()
    await out.heading(t('page.heading.completed.withdrawal')).waitFor()
  },

  async 'an app is opened when its customer is through'({ visitor, anchor, look }) {
    visitor.expect(/^console: (Failed to launch .* because the scheme does not have a registered handler|Not allowed to launch .* because a user gesture is required)/)
    const t = words('en')
    const wallet = await openWallet({ anchorUrl: anchor.public, horizon: anchor.horizon })
    await wallet.fund()
    await wallet.trust()
    await wallet.signIn()
    for (const [scheme, opens] of [[appScheme, true], ['org.example.unknown', false]]) {
      const { id, url } = await wallet.start('withdrawal')
      const tab = await visitor.open('about:blank')
      const wished = await wishes(tab)
      await tab.goto(`${url}&callback=${encodeURIComponent(`${scheme}://anchor/done?n=1`)}`)
      const page = new AnchorPage(tab, t)
      await enterWithdrawal(page, { newcomer: opens })
      const app = `${appScheme}://anchor/done?n=1&transaction_id=${id}&status=pending_user_transfer_start`
      if (opens) {
        await until(tab, () => wished.includes(app), () => `nothing opens ${app}: ${wished}`)
        assert.deepEqual(wished, [app])
        // No such app is there: the page says so, offers it again, and how to pay without it.
        // In front of this tab the browser may ask whether to open the app, which takes all
        // clicks, so that the page is pressed by itself.
        await tab.getByRole('button', { name: t('page.back_to_app'), exact: true }).dispatchEvent('click')
        await until(tab, () => wished.length > 1, () => 'a second press opens nothing')
        await tab.getByRole('status').getByText(t('page.app_closed')).waitFor()
        await tab.getByText(t('page.other_wallet'), { exact: true }).waitFor()
        assert.deepEqual(wished, [app, app])
        // Nor is it opened unasked by a page that comes later.
        const other = await visitor.open('about:blank')
        const again = await wishes(other)
        const { origin, pathname } = new URL(url)
        await other.goto(origin + pathname)
        await new AnchorPage(other, t).press('page.back_to_app')
        await other.getByRole('status').getByText(t('page.app_closed')).waitFor()
        await look(other, 'back-to-the-app')
        assert.deepEqual(again, [app])
        await other.close()
      } else {
        await page.press('page.back_to_wallet', { wallet: t('page.your_wallet') })
        assert.deepEqual(wished, [])
      }
      await tab.close()
    }
  },

  async 'a wallet that proves its domain hears what others do not'({ visitor, anchor, look }) {
    const t = words('en')
    const client = await startClient()
    visitor.expect(new RegExp(`^request to a third party: http://(localhost|127.0.0.1):${client.domain.split(':')[1]}/`))
    try {
      const wallet = await openWallet({ anchorUrl: anchor.public, horizon: anchor.horizon })
      await wallet.signIn({ clientDomain: client.domain, walletSigner: new DomainSigner(client.signer, {}) })
      for (const host of ['localhost', '127.0.0.1']) {
        const { id, url } = await wallet.start('withdrawal')
        const opener = await visitor.open(`${client.pageAt(host)}#${url}&callback=postMessage`)
        const popup = await visitor.popup(() => opener.getByRole('button', { name: 'Open' }).click())
        const page = new AnchorPage(popup, t)
        const proven = host === 'localhost'
        await enterWithdrawal(page, { newcomer: proven })
        await popup.getByRole('button', { name: t('page.back_to_wallet', { wallet: client.domain }) }).waitFor()
        await look(popup, `opened-from-${host}`)
        // What is posted later is heard later.
        await popup.evaluate(() => window.opener.postMessage({ transaction: { id: 'end' } }, '*'))
        await opener.waitForFunction(() => heard.at(-1)?.id === 'end')
        const told = await opener.evaluate(() => heard.slice(0, -1).map(({ origin, id, status }) => [origin, id, status]))
        assert.deepEqual(told, proven ? [[anchor.public, id, 'pending_user_transfer_start']] : [])
        await popup.close()
      }
    } finally {
      await client.close()
    }
  },

  async 'every call of the wallet SDK'({ anchor }) {
    await everyCall(anchor)
  },
}

export const settings = {
  'an app is opened when its customer is through': { device: phone },
}
