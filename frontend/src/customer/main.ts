import { mount } from 'svelte'
import '../lib/base.css'
import './frame.css'
import { boot, type CustomerBoot } from '../lib/boot'
import { language } from '../lib/i18n.svelte'
import { startOver } from '../lib/reload'
import App from './App.svelte'
import { ahead } from './screens'
import { Visit } from './visit.svelte'

const target = document.getElementById('app')!
const page = boot<CustomerBoot>()
const visit = new Visit(page)

async function start(): Promise<void> {
  // All that the first screen is made of is asked for at once.
  const opened = visit.open()
  ahead(page.page === 'transaction' ? ['progress'] : ['who', 'amount'])
  await language.use(page.lang)
  // The summary that the server wrote stays until there is something better.
  if (page.page === 'transaction') await opened
  target.replaceChildren()
  mount(App, { target, props: { visit } })
}

// One press is one press: the second click of a double click, and what a key held
// down repeats, would hit the button of the next screen.
addEventListener('click', (event) => event.detail > 1 && (event.target as Element).closest('button, a, summary') && stop(event), true)
addEventListener('keydown', (event) => event.key === 'Enter' && event.repeat && stop(event), true)

function stop(event: Event): void {
  event.preventDefault()
  event.stopPropagation()
}

// Without its words the page can't even say that it is offline.
start().catch(startOver)
