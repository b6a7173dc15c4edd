import '../src/lib/base.css'
import './teaching.css'
import { mount } from 'svelte'
import { boot } from '../src/lib/boot'
import type { Boot } from './client'
import Page from './Page.svelte'
import { DemoWallet } from './wallet.svelte'

const app = document.getElementById('app')!
app.replaceChildren()
const wallet = new DemoWallet(boot<Boot>())
mount(Page, { target: app, props: { wallet } })
void wallet.open()
