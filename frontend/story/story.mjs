// The browser stories of `make test`: people with a wallet, at the anchor's page
// and at the bank, in a real browser against a real `windlass dev`.
//
//   node story.mjs [--binary FILE] [--shots DIR] [--only TEXT] [--at-once N] [--gallery DIR]
//
// A story is an entry of `scenarios` in a file of scenarios/, with what is special
// about its visitor or its anchor in `settings` there. Several are told at once,
// on one anchor, by visitors who know nothing of each other; they are reported in
// their order.

import { readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { defaultBinary, startAnchor } from '../demo/anchor.mjs'
import { appScheme, brand, lumens } from './anchors.mjs'
import { launch, phone, visitor as visit } from './browser.mjs'
import { Gallery, wayOf } from './gallery.mjs'

const { values: options } = parseArgs({
  options: {
    binary: { type: 'string', default: defaultBinary },
    shots: { type: 'string' },
    only: { type: 'string', default: '' },
    'at-once': { type: 'string', default: '3' },
    gallery: { type: 'string' },
  },
})

const rooms = readdirSync(new URL('scenarios', import.meta.url)).sort()
const files = await Promise.all(rooms.map((file) => import(`./scenarios/${file}`)))
/** The stories to tell: {name, scenario, env, alone, and what visitor() takes}. Those that measure come first, alone. */
const stories = files
  .flatMap(({ scenarios, settings = {} }) => Object.entries(scenarios).map(([name, scenario]) => ({ name, scenario, ...settings[name] })))
  .filter(({ name }) => name.includes(options.only))
  .sort((a, b) => Number(b.alone ?? false) - Number(a.alone ?? false))

/** For pictures, everybody has a phone who does not need something else. */
const pictures = options.gallery && new Gallery()
if (pictures) for (const story of stories) story.device ??= phone

let shared, browser
/** The anchors of stories that must have one of their own. */
const own = new Set()

/** Tells a story, and gives the lines to report of it. */
async function tell({ name, scenario, env, ...setting }, place) {
  const begun = performance.now()
  const said = []
  const wrong = []
  let anchor = shared
  try {
    if (env) own.add((anchor = await startAnchor({ binary: options.binary, env })))
    const visitor = await visit(browser, anchor, { name, shots: options.shots, gallery: pictures && taking(setting, place), ...setting })
    try {
      await scenario({ visitor, anchor, look: (page, screen) => visitor.look(page, screen), say: (line) => said.push(`        ${line}`) })
    } catch (problem) {
      wrong.push(problem)
      await visitor.failed()
    }
    // What went wrong unseen often explains what was seen to go wrong.
    await visitor.finish().catch((problem) => wrong.push(problem))
  } catch (problem) {
    wrong.push(problem)
  }
  if (wrong.length > 0 && env) said.push(`        The last its server said:\n${anchor.tail?.()}`)
  if (own.delete(anchor)) await anchor.close()
  for (const problem of wrong) said.push(`  ${String(problem.stack ?? problem).replaceAll('\n', '\n  ')}`)
  const seconds = `${((performance.now() - begun) / 1000).toFixed(1)} s`
  return { passed: wrong.length === 0, lines: [`${wrong.length === 0 ? 'passed' : 'FAILED'}  ${name} (${seconds})`, ...said] }
}

/** Takes pictures of what a story looks at. */
function taking(setting, place) {
  const way = wayOf(setting)
  return way && ((page, screen) => pictures.take(page, screen, way, place))
}

async function close() {
  await browser?.close()
  for (const anchor of [...own, shared]) await anchor?.close()
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await close()
    process.exit(130)
  })
}

/** Tells them all; report is given what came of each, in their order. */
async function tellAll(report) {
  const results = []
  let reported = 0
  let next = 0
  const teller = async (end) => {
    while (next < end) {
      const i = next++
      results[i] = await tell(stories[i], i)
      for (; results[reported]; reported++) report(results[reported])
    }
  }
  const alone = stories.filter((story) => story.alone).length
  await teller(alone)
  await Promise.all(Array.from({ length: Number(options['at-once']) }, () => teller(stories.length)))
}

const begun = performance.now()
let passed = 0
let failed = 0
try {
  shared = await startAnchor({ binary: options.binary, env: { WINDLASS_CALLBACKS_SCHEMES: appScheme, ...lumens, ...brand } })
  browser = await launch()
  await tellAll((result) => {
    result.passed ? passed++ : failed++
    console.log(result.lines.join('\n'))
  })
  if (failed > 0) console.log(`\nThe last the server said:\n${shared.tail()}`)
} catch (problem) {
  failed++
  console.log(`FAILED  ${problem.stack}`)
} finally {
  await close()
}

if (pictures && failed === 0) console.log(`\n${pictures.write(options.gallery)} pictures are in ${options.gallery}`)
console.log(`\n${passed} passed, ${failed} failed, in ${((performance.now() - begun) / 1000).toFixed(0)} s`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
