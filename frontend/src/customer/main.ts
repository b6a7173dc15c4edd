import { mount } from 'svelte'
import '../lib/base.css'
import './server.css'
import { boot, type CustomerBoot } from '../lib/boot'
import { language } from '../lib/i18n.svelte'
import App from './App.svelte'
import { Visit } from './visit.svelte'

const target = document.getElementById('app')!
const page = boot<CustomerBoot>()
const visit = new Visit(page)

async function start(): Promise<void> {
  await language.use(page.lang)
  const opened = visit.open()
  // The summary that the server wrote stays until there is something better.
  if (page.page === 'transaction') await opened
  target.replaceChildren()
  mount(App, { target, props: { visit } })
}

// Without its words the page can't even say that it is offline.
start().catch(() => setTimeout(() => location.reload(), 3000))
