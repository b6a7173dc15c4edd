import { Unreachable, unwrap, type Headers } from '../lib/graphql'

/** Sends one document as the answer to a question; part is how much of it has gone, 0 to 1. */
export type Send = (name: string, content: Blob, part: (gone: number) => void, signal: AbortSignal) => Promise<void>

/** Longer than the server waits: what takes more has ended there. */
const PATIENCE = 200_000

/**
 * A GraphQL request with a file (GraphQL multipart request specification). Not
 * fetch, which does not tell how much has gone.
 */
export function upload<T>(url: string, headers: Headers, query: string, variables: object, content: Blob, part: (gone: number) => void, signal: AbortSignal): Promise<T> {
  const form = new FormData()
  form.append('operations', JSON.stringify({ query, variables: { ...variables, file: null } }))
  form.append('map', '{"0":["variables.file"]}')
  form.append('0', content, 'document') // its own name is nobody's business
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const lost = () => reject(new Unreachable('no answer'))
    if (signal.aborted) return lost() // while this program was fetched
    request.open('POST', url)
    request.withCredentials = true
    request.timeout = PATIENCE
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.onprogress = ({ loaded, total }) => part(total > 0 ? loaded / total : 0)
    request.onload = () => {
      let answer
      try {
        answer = JSON.parse(request.responseText)
      } catch {
        return lost() // a proxy's page
      }
      try {
        resolve(unwrap<T>(answer))
      } catch (problem) {
        reject(problem as Error)
      }
    }
    request.onerror = request.ontimeout = request.onabort = lost
    signal.addEventListener('abort', () => request.abort())
    request.send(form)
  })
}
