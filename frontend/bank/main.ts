import '../src/lib/base.css'
import '../wallet/teaching.css'
import { mount } from 'svelte'
import { boot } from '../src/lib/boot'
import { Bank, type Boot } from './bank.svelte'
import Page from './Page.svelte'

const app = document.getElementById('app')!
app.replaceChildren()
const bank = new Bank()
mount(Page, { target: app, props: { bank, brand: boot<Boot>().brand } })
bank.open()
