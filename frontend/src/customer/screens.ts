import type { Component } from 'svelte'
import type { Screen } from './steps'
import type { Visit } from './visit.svelte'

export type View = Component<{ visit: Visit }>

/** Each screen travels on its own, in about the order that customers meet them. */
const screens: Record<Screen, () => Promise<{ default: View }>> = {
  who: () => import('./screens/Who.svelte'),
  amount: () => import('./screens/AmountStep.svelte'),
  more: () => import('./screens/Who.svelte'),
  method: () => import('./screens/MethodStep.svelte'),
  summary: () => import('./screens/Summary.svelte'),
  pay: () => import('./screens/Pay.svelte'),
  send: () => import('./screens/Send.svelte'),
  progress: () => import('./screens/Progress.svelte'),
}

/** What was asked for, once each: a failure too, since half of a screen may have arrived. */
const asked = new Map<Screen | 'document', Promise<unknown>>()

function once<T>(name: Screen | 'document', load: () => Promise<T>): Promise<T> {
  let found = asked.get(name) as Promise<T> | undefined
  if (!found) asked.set(name, (found = load()))
  return found
}

const screen = (name: Screen) => once(name, screens[name])
const document = () => once('document', () => import('./parts/Document.svelte'))

/**
 * A screen, and where documents are asked for the control for them: on its own
 * it could fail to come when something has been typed already.
 */
export const view = async (name: Screen, documents: boolean): Promise<View> => (await Promise.all([screen(name), documents && document()]))[0].default

/** Asks for these screens before they are needed, so that nobody waits for the next one. */
export function ahead(names: Screen[]): void {
  for (const name of names) screen(name).catch(() => {}) // whoever needs it learns of it
}

/** Asks for everything that may come yet. */
export function aheadOfAll(): void {
  ahead(Object.keys(screens) as Screen[])
  document().catch(() => {})
}
