// The browser story of `make test`: people with a wallet, at the anchor's page
// and at the bank, in a real browser against a real `windlass dev`.
//
//   node story.mjs [--binary FILE] [--shots DIR] [--only TEXT]

import { parseArgs } from 'node:util'
import { defaultBinary, startAnchor } from '../demo/anchor.mjs'
import { launch, visitor as visit } from './browser.mjs'
import { appScheme, brand, lumens, scenarios, settings } from './scenarios.mjs'

const { values: options } = parseArgs({
  options: {
    binary: { type: 'string', default: defaultBinary },
    shots: { type: 'string' },
    only: { type: 'string', default: '' },
  },
})

const chosen = Object.entries(scenarios).filter(([name]) => name.includes(options.only))
let passed = 0
let failed = 0
let anchor, browser
/** The anchor of a scenario that must have one of its own. */
let own

async function tell(name, scenario) {
  const begun = performance.now()
  const { env, ...setting } = settings[name] ?? {}
  const at = env ? (own = await startAnchor({ binary: options.binary, env })) : anchor
  const visitor = await visit(browser, at, { name, shots: options.shots, ...setting })
  let problem
  try {
    await scenario({ visitor, anchor: at, look: (page, screen) => visitor.look(page, screen) })
  } catch (e) {
    problem = e
    await visitor.failed()
  }
  // What went wrong unseen often explains what was seen to go wrong.
  const unseen = await visitor.finish().catch((e) => e)
  await own?.close()
  own = undefined
  const seconds = `${((performance.now() - begun) / 1000).toFixed(1)} s`
  if (!problem && !unseen) {
    passed++
    console.log(`passed  ${name} (${seconds})`)
    return
  }
  failed++
  console.log(`FAILED  ${name} (${seconds})`)
  for (const p of [problem, unseen].filter(Boolean)) console.log(`  ${String(p.stack ?? p).replaceAll('\n', '\n  ')}`)
}

async function close() {
  await browser?.close()
  await own?.close()
  await anchor?.close()
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await close()
    process.exit(130)
  })
}

try {
  anchor = await startAnchor({ binary: options.binary, env: { WINDLASS_CALLBACKS_SCHEMES: appScheme, ...lumens, ...brand } })
  browser = await launch()
  for (const [name, scenario] of chosen) await tell(name, scenario)
  if (failed > 0) console.log(`\nThe last the server said:\n${anchor.tail()}`)
} catch (problem) {
  failed++
  console.log(`FAILED  ${problem.stack}`)
} finally {
  await close()
}

console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
