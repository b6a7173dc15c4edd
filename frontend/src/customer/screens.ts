import type { Component } from 'svelte'
import type { Screen } from './steps'
import type { Visit } from './visit.svelte'

export type View = Component<{ visit: Visit }>

/** Each screen travels on its own, in about the order that customers meet them. */
const imports: Record<Screen, () => Promise<{ default: View }>> = {
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
const asked = new Map<Screen, Promise<View>>()

export function view(screen: Screen): Promise<View> {
  let found = asked.get(screen)
  if (!found) asked.set(screen, (found = imports[screen]().then((module) => module.default)))
  return found
}

/** Asks for screens before they are needed, so that nobody waits for the next one. */
export function ahead(screens: Screen[] = Object.keys(imports) as Screen[]): void {
  for (const screen of screens) view(screen).catch(() => {}) // whoever needs it learns of it
}
