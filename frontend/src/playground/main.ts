import type { Fetcher, FetcherParams } from '@graphiql/toolkit'
import { GraphiQL } from 'graphiql'
import 'graphiql/style.css'
import { createElement } from 'react'
import { createRoot } from 'react-dom/client'
import { serverEvents } from '../lib/sse'
import { examples } from './examples'
import './playground.css'

async function post(params: FetcherParams, accept: string, signal?: AbortSignal): Promise<Response> {
  return fetch('/graphql', {
    method: 'POST',
    credentials: 'same-origin',
    headers: { 'Content-Type': 'application/json', Accept: accept },
    body: JSON.stringify(params),
    signal: signal ?? null,
  })
}

/** A subscription's results, until GraphiQL's stop button ends the loop. */
async function* stream(params: FetcherParams) {
  const connection = new AbortController()
  try {
    const response = await post(params, 'text/event-stream', connection.signal)
    if (!response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
      yield await response.json()
      return
    }
    for await (const { event, data } of serverEvents(response.body!)) {
      if (event === 'complete') return
      if (event === 'next') yield JSON.parse(data)
    }
  } finally {
    connection.abort()
  }
}

const fetcher: Fetcher = async (params, options) => {
  const operations = options?.documentAST?.definitions.filter((definition) => definition.kind === 'OperationDefinition') ?? []
  const chosen = operations.find(({ name }) => name?.value === params.operationName) ?? operations[0]
  if (chosen?.operation === 'subscription') return stream(params)
  return (await post(params, 'application/json')).json()
}

createRoot(document.getElementById('app')!).render(
  createElement(GraphiQL, { fetcher, defaultTabs: examples, isHeadersEditorEnabled: false, shouldPersistHeaders: false }),
)
