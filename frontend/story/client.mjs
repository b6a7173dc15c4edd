// A wallet with a server of its own: it publishes the key that proves its domain
// (SEP-1, SIGNING_KEY), signs with it for its apps, and has a page that opens the
// anchor's, in a window or in a frame, and keeps what that says.

import { Keypair, TransactionBuilder } from '@stellar/stellar-sdk'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'

const page = `<!doctype html>
<html lang="en"><link rel="icon" href="data:,"><title>A wallet</title><h1>A wallet</h1><button>Open</button> <button>Embed</button>
<style>iframe { display: block; border: 0; margin-block-start: 8px; inline-size: 100%; block-size: 720px }</style>
<script>
  var heard = [] // for the story to look at
  addEventListener('message', ({ origin, data }) => heard.push({ origin, ...data.transaction }))
  const [opens, embeds] = document.querySelectorAll('button')
  opens.onclick = () => open(location.hash.slice(1), 'anchor', 'popup')
  embeds.onclick = () => {
    const frame = document.createElement('iframe')
    frame.title = 'The anchor'
    frame.src = location.hash.slice(1)
    document.body.append(frame)
  }
</script>`

/** What a frame of ours may keep: its own page says so. */
const keeps = `<!doctype html><title>What is kept</title><script>
  const storage = () => { try { return sessionStorage.setItem('kept', '1') ?? true } catch { return false } }
  fetch('/kept').then((answer) => answer.text()).then((cookies) => (document.title = JSON.stringify({ cookies, storage: storage() })))
</script>`

/**
 * Starts the server:
 *
 *   domain      its client_domain
 *   signer      where the SDK's DomainSigner has challenges signed
 *   pageAt(host)  the address of its page, by another name of this machine, too
 *   close()
 */
export async function startClient() {
  const key = Keypair.random()
  const answers = {
    'GET /': () => ['text/html', page],
    'GET /keeps': () => ['text/html', keeps, ['plain=1; Secure; SameSite=None', '__Host-parted=1; Path=/; Secure; SameSite=None; Partitioned']],
    'GET /kept': ({ headers }) => ['text/plain', headers.cookie ?? ''],
    'GET /.well-known/stellar.toml': () => ['text/plain', `SIGNING_KEY = "${key.publicKey()}"\n`],
    'POST /sign': async (request) => {
      const { transactionXDR, networkPassphrase } = await json(request)
      const transaction = TransactionBuilder.fromXDR(transactionXDR, networkPassphrase)
      transaction.sign(key)
      return ['application/json', JSON.stringify({ transaction: transaction.toXDR() })]
    },
  }
  const server = createServer(async (request, response) => {
    const answer = answers[`${request.method} ${request.url}`]
    const [type, body, cookies = []] = answer ? await answer(request) : ['text/plain', '']
    response.writeHead(answer ? 200 : 404, { 'Content-Type': type, 'Set-Cookie': cookies }).end(body)
  })
  server.listen(0)
  await once(server, 'listening')
  const { port } = server.address()
  return {
    domain: `localhost:${port}`,
    signer: `http://localhost:${port}/sign`,
    pageAt: (host) => `http://${host}:${port}/`,
    async close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
