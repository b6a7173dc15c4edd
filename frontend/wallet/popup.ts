// The window that shows the anchor's page.

/** What the anchor's page tells its opener (SEP-24, callback=postMessage). */
export interface Message {
  transaction: { id: string; status: string }
}

export class Popup {
  readonly #window: Window | null
  #origin = ''
  #told: (m: Message) => void = () => {}
  #listener = (event: MessageEvent) => {
    // Only the window we opened, and only while it shows the anchor's page.
    if (!this.#window || event.source !== this.#window || event.origin !== this.#origin) return
    const message = parse(event.data)
    if (message) this.#told(message)
  }

  /**
   * Opens an empty window. It must happen in the click's own turn: a browser
   * blocks a window that is opened after something was awaited.
   */
  constructor(waiting: string) {
    const left = Math.max(0, screenX + outerWidth - 500)
    this.#window = open('', '_blank', `popup,width=460,height=780,left=${left},top=${Math.max(0, screenY + 40)}`)
    if (!this.#window) return
    this.#window.document.title = waiting
    this.#window.document.body.textContent = waiting
  }

  /** Whether the browser let us open it and it is still open. */
  get open(): boolean {
    return this.#window !== null && !this.#window.closed
  }

  go(url: string, told: (m: Message) => void) {
    this.#origin = new URL(url).origin
    this.#told = told
    addEventListener('message', this.#listener)
    if (this.#window) this.#window.location.href = url
  }

  close() {
    removeEventListener('message', this.#listener)
    this.#window?.close()
  }
}

/** SEP-24 allows an object or the same as a JSON string. */
function parse(data: unknown): Message | null {
  try {
    const value = (typeof data === 'string' ? JSON.parse(data) : data) as Partial<Message> | null
    return typeof value?.transaction?.id === 'string' ? (value as Message) : null
  } catch {
    return null
  }
}
