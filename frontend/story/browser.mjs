// A real browser, and a watch on everything that must never happen in it.

import axe from 'axe-core'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'

const patience = 30_000

export const launch = () => chromium.launch(program())

function program() {
  return {
    executablePath: executable(process.env.CHROMIUM ?? '/usr/bin/chromium'),
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    // Popups are blocked as for everyone: the wallet must open its window in time.
    ignoreDefaultArgs: ['--disable-popup-blocking'],
  }
}

/** A browser that is set to keep nothing: no cookies, and no storage. */
async function withoutCookies(manner) {
  const profile = await mkdtemp(join(tmpdir(), 'windlass-visitor-'))
  await mkdir(join(profile, 'Default'))
  await writeFile(join(profile, 'Default', 'Preferences'), JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }))
  const context = await chromium.launchPersistentContext(profile, { ...program(), ...manner })
  context.on('close', () => rm(profile, { recursive: true, force: true, maxRetries: 5 }))
  return context
}

/** A path as it is, a name from the PATH. */
function executable(name) {
  const candidates = name.includes('/') ? [name] : process.env.PATH.split(delimiter).map((dir) => join(dir, name))
  const found = candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  if (!found) throw new Error(`There is no ${name}. Install Chromium, or set CHROMIUM to where it is.`)
  return found
}

export const desktop = { viewport: { width: 1280, height: 900 } }
export const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }

/** Apps that show the page in a part of themselves. */
const inApp = (width, height, userAgent) => ({ viewport: { width, height }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, userAgent })
export const webviews = {
  Android: inApp(360, 800, 'Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36'),
  iOS: inApp(390, 844, 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148'),
}

/** Gives a page a network of so many bits a second and milliseconds there and back. */
export async function throttle(page, bits, latency) {
  const browser = await page.context().newCDPSession(page)
  await browser.send('Network.enable')
  await browser.send('Network.emulateNetworkConditions', { offline: false, latency, downloadThroughput: bits / 8, uploadThroughput: bits / 8 })
  return browser
}

/**
 * Makes a page that of a phone on a poor network, and measures how long its
 * first screen takes: until there is a form that answers, from the moment that
 * its address is opened. Call what it returns once the screen is there.
 */
export async function slowPhone(page) {
  const browser = await throttle(page, 1_600_000, 150)
  await browser.send('Emulation.setCPUThrottlingRate', { rate: 4 })
  await page.addInitScript(() => {
    window.measured = new Promise((tell) => {
      let shift = 0
      new PerformanceObserver((list) => list.getEntries().forEach((entry) => (shift += entry.value))).observe({ type: 'layout-shift', buffered: true })
      const watch = new MutationObserver(() => {
        if (!document.querySelector('main form h1')) return
        watch.disconnect()
        // Painted, and the thread is free for what the customer does.
        requestAnimationFrame(() =>
          setTimeout(() => {
            const loaded = performance.getEntriesByType('resource').filter(({ responseEnd }) => responseEnd > 0)
            const weight = (end) => loaded.filter(({ name }) => name.endsWith(end)).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)
            const asked = loaded.filter(({ initiatorType }) => initiatorType === 'fetch').map(({ name }) => new URL(name).pathname.split('/').at(-1))
            tell({ time: performance.now(), js: weight('.js'), css: weight('.css'), asked, shift })
          }),
        )
      })
      watch.observe(document, { childList: true, subtree: true })
    })
  })
  return () => page.evaluate(() => window.measured)
}

/**
 * A fresh visitor: no cookies, no storage. Whatever goes wrong without being
 * seen (an error in the console, a breach of the policy, a request to a third
 * party) is collected and reported by finish.
 */
export async function visitor(browser, anchor, { name, shots, gallery, device = desktop, theme = 'light', lang = 'en', cookies = true }) {
  const manner = { ...device, colorScheme: theme, locale: lang, timezoneId: 'UTC', reducedMotion: 'reduce' }
  const context = await (cookies ? browser.newContext(manner) : withoutCookies(manner))
  context.setDefaultTimeout(patience)
  return new Visitor(context, [anchor.public, anchor.admin, anchor.horizon], { name, shots, gallery, theme })
}

/** What axe does not look for, as it is found in a page. Our visitors want no motion. */
function oddities() {
  const found = []
  const { scrollWidth, clientWidth } = document.documentElement
  if (scrollWidth > clientWidth) found.push(`it scrolls sideways by ${scrollWidth - clientWidth} px`)
  for (const { animationName, transitionProperty } of document.getAnimations()) found.push(`${animationName ?? transitionProperty} moves for who wants no motion`)
  // On the customer's page a thumb hits everything, but for a link within a sentence.
  for (const target of document.querySelectorAll('.page:has(.brand-mark) :is(a, button, input:not([type=radio], [type=checkbox]), select, summary)')) {
    const { width, height } = target.getBoundingClientRect()
    const inSentence = getComputedStyle(target).display === 'inline'
    if (width > 0 && !inSentence && (width < 43.5 || height < 43.5)) found.push(`${target.outerHTML.slice(0, 80)} has ${width.toFixed()} by ${height.toFixed()} px`)
  }
  return found
}

/** Lays a page out in the other direction. */
function turn() {
  const { documentElement } = document
  documentElement.dir = documentElement.dir === 'rtl' ? 'ltr' : 'rtl'
}

/** The window of a frame, which a window itself is too. */
const windowOf = (place) => place.page?.() ?? place

class Visitor {
  #wrong = []
  #others = []
  #expected = []
  #origins
  #shots
  #name
  #gallery
  #theme
  #count = 0

  constructor(context, origins, { name, shots, gallery, theme }) {
    this.context = context
    this.#origins = origins.map((o) => new URL(o).origin)
    this.#name = name.replace(/\W+/g, '-')
    this.#shots = shots
    this.#gallery = gallery
    this.#theme = theme
    if (shots) mkdirSync(shots, { recursive: true })

    context.on('console', (message) => {
      if (message.type() === 'error') this.#report(`console: ${message.text()} (${message.location().url})`)
    })
    context.on('weberror', (error) => this.#report(`uncaught: ${error.error().stack ?? error.error()}`))
    context.on('request', (request) => {
      const url = new URL(request.url())
      if (url.protocol.startsWith('http') && !this.#origins.includes(url.origin)) this.#report(`request to a third party: ${request.url()}`)
    })
  }

  #report(what) {
    if (!this.#expected.some((pattern) => pattern.test(what))) this.#wrong.push(what)
  }

  /** Chromium logs every answer of 4xx as an error; name the ones that belong to the story. */
  expect(pattern) {
    this.#expected.push(pattern)
  }

  async open(url) {
    const page = await this.context.newPage()
    await page.goto(url)
    return page
  }

  /** The window that act opens. */
  async popup(act) {
    const [page] = await Promise.all([this.context.waitForEvent('page'), act()])
    return page
  }

  /** The page as it is to somebody whose browser runs no scripts. */
  async openWithoutScripts(url) {
    const context = await this.context.browser().newContext({ ...desktop, javaScriptEnabled: false })
    this.#others.push(context)
    const page = await context.newPage()
    await page.goto(url)
    return page
  }

  async picture(place, screen) {
    this.#count++
    if (!this.#shots) return
    const file = `${this.#name}-${String(this.#count).padStart(2, '0')}-${screen}.png`
    await windowOf(place).screenshot({ path: join(this.#shots, file), fullPage: true })
  }

  /**
   * Takes a picture of a screen, in a window or a frame, and judges it in both themes,
   * and laid out in both directions: nothing may be found. The words of the other
   * direction are for the stories in its language.
   */
  async look(place, screen) {
    await this.picture(place, screen)
    if (place === windowOf(place)) await this.#gallery?.(place, screen)
    for (const theme of [this.#theme === 'dark' ? 'light' : 'dark', this.#theme]) {
      await windowOf(place).emulateMedia({ colorScheme: theme })
      // The other theme has other colours, and is the same otherwise.
      await this.#axe(place, `${screen}, ${theme}`, theme === this.#theme ? {} : { runOnly: ['color-contrast', 'link-in-text-block'] })
    }
    for (const what of await place.evaluate(oddities)) this.#report(`${screen}: ${what}`)
    if (!(await place.evaluate(() => document.querySelector('.brand-mark')))) return // pages for staff and developers are in English
    await place.evaluate(turn)
    await this.#axe(place, `${screen}, turned`, { runOnly: ['target-size', 'scrollable-region-focusable'] })
    for (const what of await place.evaluate(oddities)) this.#report(`${screen}, turned: ${what}`)
    await place.evaluate(turn)
  }

  async #axe(place, screen, rules) {
    // Axe's own package for this puts the whole of it into the page at each look.
    if (!(await place.evaluate(() => 'axe' in window))) await place.evaluate(axe.source)
    // Axe leaves WCAG 2.2's size of targets out unless it is asked.
    const options = { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } }, ...rules }
    const { violations } = await place.evaluate(async (options) => {
      // At the end of the page nothing lies beneath the action that stays in sight.
      const { scrollY } = window
      scrollTo(0, document.documentElement.scrollHeight)
      const found = await window.axe.run(options)
      scrollTo(0, scrollY)
      return found
    }, options)
    for (const v of violations) {
      this.#report(`axe on ${screen}: ${v.id}: ${v.nodes.map((n) => `${n.target.join(' ')}: ${n.failureSummary}`).join('; ')}`)
    }
  }

  /** Pictures of every open page, for a story that failed. */
  async failed() {
    if (!this.#shots) return
    for (const [i, page] of this.context.pages().entries()) {
      await page.screenshot({ path: join(this.#shots, `${this.#name}-failed-${i}.png`), fullPage: true }).catch(() => {})
    }
  }

  async finish() {
    for (const context of [...this.#others, this.context]) await context.close()
    if (this.#wrong.length > 0) throw new Error(`not seen, but wrong:\n  ${[...new Set(this.#wrong)].join('\n  ')}`)
  }
}
