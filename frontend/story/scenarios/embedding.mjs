// The anchor's page inside somebody else's: a frame of another site, an app's webview.

import assert from 'node:assert/strict'
import { startClient } from '../client.mjs'
import { webviews } from '../browser.mjs'
import { AnchorPage } from '../pages.mjs'
import { enterDeposit, enterWithdrawal, readyWallet, transfer } from '../walks.mjs'
import { words } from '../words.mjs'

/** The document of the newest frame in a page. */
async function framed(page) {
  const element = await page.locator('iframe').last().elementHandle()
  return element.contentFrame()
}

/** What a frame of another site may keep in this browser, as it says itself. */
async function keptInFrames(visitor, client) {
  const page = await visitor.open(`${client.pageAt('127.0.0.1')}#${client.pageAt('localhost')}keeps`)
  await page.getByRole('button', { name: 'Embed' }).click()
  const frame = await framed(page)
  await frame.waitForFunction(() => document.title.startsWith('{'))
  const kept = JSON.parse(await frame.title())
  await page.close()
  return kept
}

/** A deposit and a withdrawal inside a frame of the wallet's page, which is of another site. */
async function inFrame({ visitor, anchor, look }, keeps) {
  const t = words('en')
  const client = await startClient()
  visitor.expect(new RegExp(`^request to a third party: http://(localhost|127.0.0.1):${client.domain.split(':')[1]}/`))
  // It is tried, and then the old way is taken.
  visitor.expect(/The Clipboard API has been blocked because of a permissions policy/)
  try {
    // The browser is really one of those. Without a cookie, the bearer follows a refusal.
    if (!keeps.cookies) visitor.expect(/status of 401/)
    assert.deepEqual(await keptInFrames(visitor, client), keeps)

    const wallet = await readyWallet(anchor)
    const embed = async (url) => {
      const around = await visitor.open(`${client.pageAt('127.0.0.1')}#${url}`)
      await around.getByRole('button', { name: 'Embed' }).click()
      const page = new AnchorPage(await framed(around), t)
      const heard = async () => (await around.evaluate(() => heard)).map(({ id, status }) => [id, status])
      return { around, page, heard, reload: () => page.page.evaluate(() => location.reload()) }
    }

    const { id, url } = await wallet.start('deposit')
    const { page, heard, reload, around } = await embed(`${url}&callback=postMessage&on_change_callback=postMessage`)
    await page.who()
    await page.press('page.continue')
    await page.heading(t('page.amount.deposit')).waitFor()
    await reload()
    await page.heading(t('page.amount.deposit')).waitFor()
    await enterDeposit(page, { newcomer: false })
    await look(page.page, 'framed-pay')
    // Copying works where the frame is not given the clipboard.
    await page.page.getByRole('button', { name: t('instruction.reference') }).click()
    await page.page.getByText(t('page.copied')).waitFor()
    await reload()
    await page.button('page.sent').waitFor()
    await transfer(anchor, page)
    await page.heading(t('page.heading.completed.deposit')).waitFor()
    await page.press('page.back_to_wallet', { wallet: t('page.your_wallet') })
    await page.page.getByText(t('page.close_window')).waitFor()
    await look(page.page, 'framed-completed')
    const told = await heard()
    assert.deepEqual(told.filter(([, status]) => status === 'completed'), [[id, 'completed'], [id, 'completed']], 'on_change_callback, then callback')
    assert.ok(told.some(([, status]) => status === 'pending_user_transfer_start'))
    await around.close()

    // The withdrawal is handed over at the customer's yes.
    const start = await wallet.start('withdrawal')
    const out = await embed(`${start.url}&callback=postMessage`)
    await enterWithdrawal(out.page, { newcomer: false })
    await out.page.button('page.back_to_wallet', { wallet: t('page.your_wallet') }).waitFor()
    assert.deepEqual(await out.heard(), [[start.id, 'pending_user_transfer_start']])
    await out.around.close()

    // The page of the rest of its life opens there too, and is the customer's own.
    const more = await embed((await wallet.transaction(id)).more_info_url)
    await more.page.heading(t('page.heading.completed.deposit')).waitFor()
    await more.reload()
    await more.page.heading(t('page.heading.completed.deposit')).waitFor()
    await more.around.close()
  } finally {
    await client.close()
  }
}

/** A deposit in an app's webview: nobody opened the window, and it may not close itself. */
async function inWebview({ visitor, anchor, look }) {
  const t = words('en')
  const wallet = await readyWallet(anchor)
  const { url } = await wallet.start('deposit')
  const page = new AnchorPage(await visitor.open(url), t)
  await enterDeposit(page, { look })
  await page.press('page.sent')
  await transfer(anchor, page)
  await page.heading(t('page.heading.completed.deposit')).waitFor()
  await page.press('page.back_to_wallet', { wallet: t('page.your_wallet') })
  await page.page.getByText(t('page.close_window')).waitFor()
  await look(page.page, 'completed')
}

/** Only what wallets show may be framed, by anybody; whoever has an office or plays a bank shows it in a window. */
async function framing({ visitor, anchor }) {
  const client = await startClient()
  visitor.expect(new RegExp(`^request to a third party: http://127.0.0.1:${client.domain.split(':')[1]}/`))
  visitor.expect(/^console: Framing '.*' violates|status of 40/)
  try {
    const wallet = await readyWallet(anchor)
    const { id, url } = await wallet.start('deposit')
    const { more_info_url: more } = await wallet.transaction(id)
    const at = (base, ...paths) => paths.map((path) => new URL(path, base).href)
    const lost = at(anchor.public, '/interactive/nothing')
    const refused = [...at(anchor.public, '/wallet', '/bank'), ...at(anchor.admin, '/playground', '/signin?token=x')]
    const around = await visitor.open(client.pageAt('127.0.0.1'))
    for (const address of [url, more, ...lost, ...refused]) {
      const [answer] = await Promise.all([
        around.waitForResponse((response) => response.url() === address),
        around.evaluate((hash) => ((location.hash = hash), document.querySelectorAll('button')[1].click()), address),
      ])
      const frame = answer.frame()
      await frame.waitForLoadState()
      const shown = await frame.evaluate(() => location.protocol !== 'chrome-error:')
      assert.equal(shown, !refused.includes(address), address)
    }
  } finally {
    await client.close()
  }
}

export const scenarios = {
  'only what wallets show may be framed': framing,

  'a frame of another site, without third-party cookies': (story) => inFrame(story, { cookies: '__Host-parted=1', storage: false }),

  'a frame of another site, without any cookies': (story) => inFrame(story, { cookies: '', storage: false }),

  'a deposit in a webview on Android': inWebview,

  'a deposit in a webview on iOS': inWebview,
}

export const settings = {
  'a frame of another site, without any cookies': { cookies: false },
  'a deposit in a webview on Android': { device: webviews.Android },
  'a deposit in a webview on iOS': { device: webviews.iOS },
}
