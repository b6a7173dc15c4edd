// The pictures of docs/screenshots.md: every screen of the customer's page that a
// story looks at, by its name. What is different each time (times, references,
// addresses) is shown as the same each time, so that a new run changes little.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { desktop, phone } from './browser.mjs'
import { small } from './png.mjs'

/** The ways to see a screen, in their order; a story's visitor sees one of them. */
const ways = {
  phone: 'On a phone',
  dark: 'In the dark',
  ar: 'From right to left, in Arabic',
  desktop: 'On a computer',
}

/** Which of the ways a story's visitor sees the page, if any. */
export function wayOf({ device, theme = 'light', lang = 'en' }) {
  if (lang !== 'en') return lang in ways ? lang : undefined
  if (theme === 'dark') return 'dark'
  return device?.isMobile ? 'phone' : 'desktop'
}

/** Shows what differs from run to run as it is in the pictures; gives back the texts that were there. Runs in the page. */
function still() {
  const time = new Intl.DateTimeFormat(document.documentElement.lang, { day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit', timeZone: 'UTC' })
  const moment = time.format(Date.UTC(2026, 10, 23, 9, 41))
  const same = [
    [/\bG[A-Z2-7]{55}\b/g, 'GB2WALLETSAMPLEACCOUNTFORTHEPICTURES234567SAMPLEACCOUNTQ'],
    [/\bG[A-Z2-7]{3,5}…[A-Z2-7]{4,6}\b/g, 'GB2W…UNTQ'],
    [/\b[0-9a-f]{64}\b/g, '5a'.repeat(32)],
    [/\b[0-9a-f]{8}-[0-9a-f]{4}(-[0-9a-f-]{22})?\b/g, '01a206d6-654a$1'],
    [/\bWL-[A-Z0-9]{4}-[A-Z0-9]{4}\b/g, 'WL-7Q2M-4KXD'],
    [/\b(?=[A-Z]*[2-7])[A-Z2-7]{16}\b/g, 'EH3STMJYCNJA7CT2'],
    [/\b\d{1,2}:\d{2}:\d{2}\b/g, '9:41:00'],
    [/\b\d{3} \d{3} \d{3}\b/g, '314 159 265'],
    [/localhost:\d+/g, 'localhost:8000'],
    [/\b\d{15,20}\b/g, '8421907733104559201'],
  ]
  const changed = []
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const node = texts.currentNode
    const was = node.data
    const is = node.parentElement.closest('time') ? moment : same.reduce((text, [pattern, shown]) => text.replace(pattern, shown), was)
    if (is === was) continue
    node.data = is
    changed.push({ node, was, is })
  }
  // What the page has changed meanwhile is the page's.
  window.move = () => changed.forEach(({ node, was, is }) => node.data === is && (node.data = was))
}

export class Gallery {
  #pictures = new Map()

  /** Takes the picture of a screen, unless an earlier story has shown it in that way. */
  async take(page, screen, way, story) {
    const file = way === 'phone' ? `${screen}.png` : `${screen}-${way}.png`
    const other = this.#pictures.get(file)
    if (other && other.story <= story) return
    if (!(await page.evaluate(() => !!document.querySelector('.page .brand-mark')))) return
    const taken = { story, way, file, title: await page.locator('h1').first().innerText() }
    this.#pictures.set(file, taken)
    const window = page.viewportSize()
    const { width, height } = way === 'desktop' ? desktop.viewport : phone.viewport
    await page.evaluate(still)
    // So high that nothing is under the action, which keeps to the lower edge.
    await page.setViewportSize({ width, height })
    await page.setViewportSize({ width, height: await page.evaluate(() => document.documentElement.scrollHeight) })
    taken.png = await page.screenshot({ scale: 'css', animations: 'disabled', caret: 'hide' })
    await page.setViewportSize(window)
    await page.evaluate(() => move())
  }

  /** Writes the pictures into a folder, and beside it the page that shows them. */
  write(dir) {
    rmSync(dir, { recursive: true, force: true })
    mkdirSync(dir, { recursive: true })
    const taken = [...this.#pictures.values()].sort((a, b) => a.story - b.story)
    const lines = ['# Every screen of the customer’s page', '', 'Written by `make screenshots` from what the browser stories look at: a real Chromium at a real `windlass dev`.']
    for (const [way, title] of Object.entries(ways)) {
      const some = taken.filter((picture) => picture.way === way)
      if (some.length > 0) lines.push('', `## ${title}`, '')
      const columns = way === 'desktop' ? 2 : 4
      for (let i = 0; i < some.length; i += columns) {
        const row = some.slice(i, i + columns)
        const cells = (text) => `| ${[...row.map(text), ...Array(columns - row.length).fill(' ')].join(' | ')} |`
        lines.push(
          cells(({ file, title }) => `**${file.replace('.png', '')}**: ${title.replace(/\s+/g, ' ')}`),
          `|${' --- |'.repeat(columns)}`,
          cells(({ file, title }) => `![${title.replace(/\s+/g, ' ')}](screenshots/${file})`),
          '',
        )
      }
      for (const { file, png } of some) writeFileSync(join(dir, file), small(png))
    }
    writeFileSync(`${dir}.md`, `${lines.join('\n').trimEnd()}\n`)
    return taken.length
  }
}
