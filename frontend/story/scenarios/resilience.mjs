// Nothing is lost and nothing happens twice, whatever fails.

import { openWallet } from '../../demo/wallet.mjs'
import { AnchorPage } from '../pages.mjs'
import { words } from '../words.mjs'

export const scenarios = {
  async 'a part of the page that does not come is had again'({ visitor, anchor, look }) {
    visitor.expect(/net::ERR_(FAILED|INTERNET_DISCONNECTED)|Failed to fetch dynamically imported/)
    const t = words('en')
    const wallet = await openWallet({ anchorUrl: anchor.public, horizon: anchor.horizon })
    await wallet.signIn()
    const { url } = await wallet.start('deposit')
    const tab = await visitor.open('about:blank')
    const parts = /assets\/Summary-.*\.(js|css)$/
    await tab.route(parts, (route) => route.abort())
    await tab.goto(url)
    const page = new AnchorPage(tab, t)
    await page.who()
    await page.press('page.continue')
    await page.amount('deposit', '100', '98.50', 'USDW')
    await page.press('page.continue')
    await page.heading(t('page.opening')).waitFor()
    // Offline it waits: a webview would show its own error in the page's place.
    await visitor.context.setOffline(true)
    await tab.getByText(t('page.offline')).waitFor()
    await tab.getByText(t('page.loading')).waitFor()
    await look(tab, 'waiting-for-a-part')
    await tab.unroute(parts)
    await visitor.context.setOffline(false)
    await page.heading(t('page.summary')).waitFor()
    await page.press('page.agree.deposit')
    await tab.getByRole('button', { name: t('page.sent'), exact: true }).waitFor()
  },
}
