import { svelte } from '@sveltejs/vite-plugin-svelte'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
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

/** What a customer's phone may have to load before the first screen, gzipped: script, style and one language. */
const customerBudget = 66_000

const weighCustomer: Plugin = {
  name: 'weigh-customer',
  generateBundle(_, bundle) {
    const files = new Set<string>()
    const add = (name: string) => {
      const file = bundle[name]
      if (!file || files.has(name)) return
      files.add(name)
      if (file.type === 'chunk') [...file.imports, ...(file.viteMetadata?.importedCss ?? [])].forEach(add)
    }
    Object.values(bundle).forEach((file) => {
      if (file.type === 'chunk' && (file.name === 'customer' || file.facadeModuleId?.endsWith('/language/es.json'))) add(file.fileName)
    })
    const weight = [...files]
      .map((name) => bundle[name]!)
      .reduce((sum, file) => sum + gzipSync(file.type === 'chunk' ? file.code : file.source).length, 0)
    const says = `the customer's page weighs ${weight} bytes gzipped, of ${customerBudget}`
    if (weight > customerBudget) this.error(says)
    this.info(says)
  },
}

export default defineConfig({
  plugins: [svelte(), systemFonts, weighCustomer],
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
    // Everything is a file under /assets: the pages' policy allows no inline
    // script or style and no data: except for images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The demo wallet and the playground carry large libraries; the customer's
    // page has a limit of its own above.
    chunkSizeWarningLimit: 3000,
  },
  test: {
    include: ['src/**/*.test.ts', 'wallet/**/*.test.ts', 'bank/**/*.test.ts'],
    exclude: [...configDefaults.exclude],
  },
})
