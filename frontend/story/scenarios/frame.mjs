// What is around every screen, and how soon it is there.

import assert from 'node:assert/strict'
import { openWallet } from '../../demo/wallet.mjs'
import { limits } from '../../budget.mjs'
import { brand } from '../anchors.mjs'
import { phone, slowPhone } from '../browser.mjs'
import { AnchorPage } from '../pages.mjs'
import { words } from '../words.mjs'

export const scenarios = {
  async 'the first screen is there at once'({ visitor, anchor, say }) {
    const t = words('en')
    const wallet = await openWallet({ anchorUrl: anchor.public, horizon: anchor.horizon })
    await wallet.signIn()
    const { url } = await wallet.start('deposit')
    const tab = await visitor.open('about:blank')
    const measured = await slowPhone(tab)
    await tab.goto(url)
    await new AnchorPage(tab, t).heading(t('page.who')).waitFor()
    const { time, js, css, asked, shift } = await measured()
    say(`interactive after ${(time / 1000).toFixed(2)} s (aim 1.5 s) at 1.6 Mbit/s, 150 ms and a quarter of the processor's speed`)
    say(`${(js / 1000).toFixed(1)} kB of script and ${(css / 1000).toFixed(1)} kB of style had come by then; the layout moved by ${shift.toFixed(3)}`)
    // A machine that runs other tests as well must not fail this one.
    assert.ok(time < 3000, `the first screen took ${time} ms`)
    assert.ok(js <= limits.js && css <= limits.css, `${js} bytes of script and ${css} of style are over the budget`)
    assert.ok(shift < 0.02, `the layout moved by ${shift}`)
    assert.deepEqual(asked, ['session'], 'the token exchange brings the first screen with it')
  },

  async 'the brand is the operator’s, and its logo a picture only'({ visitor, anchor }) {
    visitor.expect(/^console: Blocked script execution in '.*\/brand\/logo-/)
    const wallet = await openWallet({ anchorUrl: anchor.public, horizon: anchor.horizon })
    await wallet.signIn()
    const { url } = await wallet.start('deposit')
    const shown = async (page) => {
      await page.getByText(brand.WINDLASS_BRAND_NAME, { exact: true }).waitFor()
      for (const [name, key] of [['Terms', 'TERMS'], ['Privacy', 'PRIVACY']]) {
        const link = page.getByRole('contentinfo').getByRole('link', { name, exact: true })
        assert.equal(await link.getAttribute('href'), brand[`WINDLASS_BRAND_${key}`])
      }
      const logo = page.locator('img.brand-mark')
      return { logo: await logo.evaluate(async (img) => (await img.decode(), img.src)), accent: await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--accent')) }
    }
    // Before the script runs, and without one, as with it.
    const plain = await shown(await visitor.openWithoutScripts(url))
    assert.equal(plain.accent, brand.WINDLASS_BRAND_ACCENT)
    const tab = await visitor.open(url)
    await new AnchorPage(tab, words('en')).heading(words('en')('page.who')).waitFor()
    assert.deepEqual(await shown(tab), plain)

    // Its script is there, and does not run.
    await tab.goto(plain.logo)
    assert.deepEqual(await tab.evaluate(() => [document.querySelectorAll('script').length, document.documentElement.hasAttribute('data-ran')]), [1, false])
  },
}

export const settings = {
  'the first screen is there at once': { device: phone, alone: true },
}
