// The catalogue that the server and its pages speak from, so that the story
// breaks when a sentence goes missing and not when one is improved.

import { readFileSync } from 'node:fs'

/** Figures are isolated in a sentence that runs from right to left. */
const figures = /\{\{\w+\}\}(?: \{\{\w+\}\})*/g

/**
 * t(key, {name}) of a language: the sentence with its names filled in.
 * t.like(key): what it looks like whatever the names are.
 */
export function words(lang) {
  const catalogue = JSON.parse(readFileSync(new URL(`../../server/language/${lang}.json`, import.meta.url), 'utf8'))
  const find = (key) => {
    if (catalogue[key] === undefined) throw new Error(`${lang}.json has no ${key}`)
    return catalogue[key]
  }
  const t = (key, names = {}) => {
    return find(key).replace(figures, (these) => {
      const filled = these.replace(/\{\{(\w+)\}\}/g, (_, name) => {
        if (!(name in names)) throw new Error(`${key} needs ${name}`)
        return names[name]
      })
      return lang === 'ar' ? `\u2068${filled}\u2069` : filled
    })
  }
  t.like = (key) => new RegExp(find(key).split(/\{\{\w+\}\}/).map(literally).join('.+'))
  return t
}

const literally = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** What a figure looks like in any language, with any space before its unit. */
export function figure(amount, unit) {
  const [whole, fraction] = amount.split('.')
  return new RegExp(`${whole.replace(/\B(?=(\d{3})+$)/g, '\\D?')}${fraction ? `[.,]${fraction}` : ''}\\s*${unit}`)
}
