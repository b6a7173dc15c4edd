import type { Fetcher, FetcherParams } from '@graphiql/toolkit'
import { GraphiQL } from 'graphiql'
import 'graphiql/style.css'
import { Kind, parse, type OperationDefinitionNode } from 'graphql'
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

/** The operations of a query; none when it cannot be read, which the server then explains. */
function operations(query: string): OperationDefinitionNode[] {
  try {
    return parse(query).definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  } catch {
    return []
  }
}

const fetcher: Fetcher = async (params) => {
  const all = operations(params.query)
  // What GraphiQL believes to be chosen lags behind what was just typed.
  const chosen = all.find(({ name }) => name?.value === params.operationName) ?? all[0]
  const request = { ...params, operationName: chosen?.name?.value }
  if (chosen?.operation === 'subscription') return stream(request)
  return (await post(request, 'application/json')).json()
}

createRoot(document.getElementById('app')!).render(
  createElement(GraphiQL, { fetcher, defaultTabs: examples, isHeadersEditorEnabled: false, shouldPersistHeaders: false }),
)
