/** One server-sent event. */
export interface ServerEvent {
  event: string
  data: string
}

/** Reads a stream of server-sent events (the WHATWG's format); comments are pings and are left out. */
export async function* serverEvents(body: ReadableStream<Uint8Array>, onBytes: () => void = () => {}): AsyncGenerator<ServerEvent> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let event = ''
  let data: string[] = []
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      onBytes()
      text += decoder.decode(value, { stream: true })
      // A CR at the very end may be half of a CRLF: it waits for what follows.
      const lines = text.split(/\r\n|\n|\r(?!$)/)
      text = lines.pop()!
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { event: event || 'message', data: data.join('\n') }
          else if (event) yield { event, data: '' }
          event = ''
          data = []
          continue
        }
        const colon = line.indexOf(':')
        const field = colon < 0 ? line : line.slice(0, colon)
        const content = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
        if (field === 'event') event = content
        else if (field === 'data') data.push(content)
      }
    }
  } finally {
    // The reader may leave early; the connection must not stay open then.
    await reader.cancel().catch(() => {})
  }
}
