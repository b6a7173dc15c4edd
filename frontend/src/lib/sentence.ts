export type Catalogue = Record<string, string>
export type Values = Record<string, string | number>

/** A {{name}}, or those of an amount and its unit, which stay together. */
const figures = /{{\w+}}(?: {{\w+}})*/g

/**
 * A key's sentence with each {{name}} filled in; count chooses among plural
 * forms. What is missing stays to be seen: the key, or the {{name}}. What is put
 * into a sentence that runs from right to left is isolated, as the server does it.
 */
export function sentence(catalogue: Catalogue, code: string, key: string, values: Values = {}): string {
  const form = typeof values.count === 'number' ? `${key}_${new Intl.PluralRules(code).select(values.count)}` : key
  return (catalogue[form] ?? key).replace(figures, (these) => {
    const filled = these.replace(/{{(\w+)}}/g, (hole, name: string) => String(values[name] ?? hole))
    return direction(code) === 'rtl' && filled !== these ? `\u2068${filled}\u2069` : filled
  })
}

/** How a language is written, as HTML's dir has it; the server's list is the same. */
export const direction = (code: string): 'ltr' | 'rtl' => (code === 'ar' ? 'rtl' : 'ltr')
