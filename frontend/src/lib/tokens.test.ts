import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8')
const [light = '', dark = ''] = css.split('@media screen and (prefers-color-scheme: dark)')

function colours(block: string): Map<string, string> {
  return new Map([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name!, value!]))
}

/** WCAG 2.2's relative luminance and contrast ratio. */
function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = parseInt(colour.slice(i, i + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function contrast(a: string, b: string): number {
  const [dim, bright] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number]
  return (bright + 0.05) / (dim + 0.05)
}

/** What is written on what. */
const text: [ink: string, on: string][] = [
  ...['surface', 'raised', 'sunken'].flatMap((on): [string, string][] => ['ink', 'muted', 'accent', 'danger'].map((ink) => [ink, on])),
  ['on-accent', 'accent'],
  ['on-accent', 'accent-strong'],
  ['accent', 'accent-soft'],
  ['ink', 'accent-soft'],
  ['positive', 'raised'],
  ['positive', 'positive-soft'],
  ['warning', 'raised'],
  ['warning', 'surface'],
  ['warning', 'warning-soft'],
  ['ink', 'warning-soft'],
  ['accent', 'warning-soft'],
  ['danger', 'danger-soft'],
]

/** What must be seen beside what: borders of controls, rings, marks. */
const controls: [a: string, b: string][] = [
  ['control', 'raised'],
  ['accent', 'raised'],
  ['accent', 'surface'],
  ['danger', 'raised'],
  ['positive', 'raised'],
  ['warning', 'warning-soft'],
]

describe.each([
  ['light', colours(light)],
  ['dark', colours(dark)],
])('the %s theme', (_, theme) => {
  it.each(text)('writes %s on %s legibly', (ink, on) => {
    expect(contrast(theme.get(ink)!, theme.get(on)!)).toBeGreaterThanOrEqual(4.5)
  })

  it.each(controls)('sets %s off from %s', (a, b) => {
    expect(contrast(theme.get(a)!, theme.get(b)!)).toBeGreaterThanOrEqual(3)
  })
})

it('gives every colour in both themes', () => {
  expect([...colours(dark).keys()]).toEqual([...colours(light).keys()])
})
