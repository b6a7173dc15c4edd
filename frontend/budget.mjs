// What the customer's first screens weigh, from the manifest of the build:
//
//   node budget.mjs
//
// A first screen is what is loaded before a customer can act: the page's own
// script, the screen's, what both import, their styles, and the heaviest
// language. What the server sends is weighed, so a file counts as it lies
// there packed: gzip is what every browser gets at least, and has the limit.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const limits = { js: 60_000, css: 20_000 }

const dist = fileURLToPath(new URL('dist/', import.meta.url))
const screens = 'src/customer/screens/'

/** What each first screen is made of, as main.ts asks for it. */
const first = {
  'the interactive page': [`${screens}Who.svelte`, `${screens}AmountStep.svelte`],
  'the more-info page': [`${screens}Progress.svelte`],
}

function weigh(file, packing) {
  const name = dist + file
  return statSync(existsSync(name + packing) ? name + packing : name).size
}

/** The files of some parts of the manifest, with all that they import. */
function files(manifest, keys, found = new Set(), seen = new Set()) {
  for (const key of keys) {
    if (seen.has(key)) continue
    seen.add(key)
    const part = manifest[key]
    if (!part) throw new Error(`The build has no ${key}: budget.mjs and the page no longer agree.`)
    for (const file of [part.file, ...(part.css ?? [])]) found.add(file)
    files(manifest, part.imports ?? [], found, seen)
  }
  return found
}

function sum(all, packing) {
  const of = (end) => all.filter((file) => file.endsWith(end)).reduce((total, file) => total + weigh(file, packing), 0)
  return { js: of('.js'), css: of('.css') }
}

const kB = (bytes) => `${(bytes / 1000).toFixed(1).padStart(5)} kB`

/** Tells what everything weighs; whether it is within the limits. */
function report() {
  const manifest = JSON.parse(readFileSync(`${dist}.vite/manifest.json`, 'utf8'))
  const languages = Object.keys(manifest).filter((key) => /\/language\/\w+\.json$/.test(key))
  const heaviest = languages.reduce((a, b) => (weigh(manifest[a].file, '.gz') >= weigh(manifest[b].file, '.gz') ? a : b))

  let within = true

  for (const [name, parts] of Object.entries(first)) {
    const all = [...files(manifest, ['customer.html', heaviest, ...parts])]
    const gz = sum(all, '.gz')
    const br = sum(all, '.br')
    console.log(`${name}:`)
    for (const file of all) console.log(`    ${kB(weigh(file, '.gz'))}  ${file}`)
    for (const kind of ['js', 'css']) {
      const fits = gz[kind] <= limits[kind]
      within &&= fits
      console.log(`  ${kB(gz[kind])} of ${kB(limits[kind])} ${kind}, gzip${fits ? '' : ': OVER THE BUDGET'}; ${kB(br[kind])} with brotli`)
    }
  }
  return within
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = report() ? 0 : 1
