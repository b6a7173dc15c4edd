import { svelte } from '@sveltejs/vite-plugin-svelte'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'
import { configDefaults, defineConfig } from 'vitest/config'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** GraphiQL's stylesheet carries its fonts as data:, which the pages' policy refuses; the system's do. */
const systemFonts: Plugin = {
  name: 'system-fonts',
  enforce: 'pre',
  transform(code, id) {
    return id.includes('/graphiql/dist/style.css') ? code.replace(/@font-face\s*{[^}]*}/g, '') : null
  },
}

/** Writes what browsers can unpack beside each file that is worth it; the server sends that. */
const packed: Plugin = {
  name: 'packed',
  async writeBundle({ dir }, bundle) {
    const texts = Object.values(bundle).filter(({ fileName }) => /^assets\/.*\.(js|css|svg)$/.test(fileName))
    const pack = async (name: string) => {
      const text = await readFile(join(dir!, name))
      if (text.length < 512) return
      await writeFile(join(dir!, `${name}.gz`), gzipSync(text, { level: 9 }))
      // The last percent of the demo wallet's megabytes would take longer than the build.
      const quality = text.length < 200_000 ? 11 : 9
      await writeFile(join(dir!, `${name}.br`), brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } }))
    }
    for (const { fileName } of texts) await pack(fileName)
  },
}

/** What e-mails say is the server's alone. */
const withoutMails: Plugin = {
  name: 'without-mails',
  apply: 'build',
  enforce: 'pre',
  transform(code, id) {
    if (!/\/server\/language\/\w+\.json$/.test(id)) return null
    return JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(code) as Record<string, string>).filter(([key]) => !key.startsWith('mail.'))))
  },
}

export default defineConfig({
  plugins: [svelte(), systemFonts, withoutMails, packed],
  // The demo wallet's libraries come from Node and look for its name of the window.
  define: { global: 'globalThis' },
  resolve: { alias: { 'react-style-singleton': here('src/playground/unstyled.ts') } },
  // The catalogue of sentences is the server's: ../server/language.
  server: { fs: { allow: ['..'] } },
  build: {
    rolldownOptions: {
      // React's directives mean nothing here, and the wallet SDK's eval is never
      // reached: the policy would refuse it.
      onLog(level, log, handle) {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE' && log.code !== 'EVAL') handle(level, log)
      },
      input: {
        customer: here('customer.html'),
        bank: here('bank.html'),
        wallet: here('wallet.html'),
        playground: here('playground.html'),
      },
    },
    // What `make web-budget` weighs the first screen by.
    manifest: true,
    // Everything is a file under /assets: the pages' policy allows no inline
    // script or style and no data: except for images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The demo wallet and the playground carry large libraries; the customer's
    // page has a limit of its own, `make web-budget`.
    chunkSizeWarningLimit: 3000,
  },
  test: {
    include: ['src/**/*.test.ts', 'wallet/**/*.test.ts', 'bank/**/*.test.ts'],
    exclude: [...configDefaults.exclude],
  },
})
