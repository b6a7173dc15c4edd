// A wallet with a server of its own: it publishes the key that proves its domain
// (SEP-1, SIGNING_KEY), signs with it for its apps, and has a page that opens the
// anchor's and keeps what that says.

import { Keypair, TransactionBuilder } from '@stellar/stellar-sdk'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'

const page = `<!doctype html>
<html lang="en"><link rel="icon" href="data:,"><title>A wallet</title><h1>A wallet</h1><button>Open</button>
<script>
  var heard = [] // for the story to look at
  addEventListener('message', ({ origin, data }) => heard.push({ origin, ...data.transaction }))
  document.querySelector('button').onclick = () => open(location.hash.slice(1), 'anchor', 'popup')
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
    const [type, body] = answer ? await answer(request) : ['text/plain', '']
    response.writeHead(answer ? 200 : 404, { 'Content-Type': type }).end(body)
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
