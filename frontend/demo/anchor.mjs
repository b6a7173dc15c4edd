// Runs `windlass dev` as a process of its own, in a folder of its own, on free
// ports: beside whatever else runs, and leaving nothing behind.

import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const defaultBinary = fileURLToPath(new URL('../../bin/windlass', import.meta.url))

const startWithin = 60_000
const stopWithin = 15_000
const tailLines = 40

/**
 * Starts an anchor and waits until it is ready.
 *
 * The anchor has:
 *   public, admin, horizon   the addresses of its listeners
 *   control                  the same, of the API that makes the network misbehave
 *   signIn                   a link that signs staff in, once
 *   signInAs(name)           another, for somebody of that name
 *   tail()                   the last lines it printed
 *   kill()                   ends it as a crash would
 *   start(env)               starts it again on the same folder and ports, with these variables besides
 *   close()                  stops it in peace and removes the folder
 */
export async function startAnchor({ binary = defaultBinary, args = [], env = {} } = {}) {
  if (!existsSync(binary)) throw new Error(`There is no ${binary}. Run make build first.`)
  const anchor = new Anchor(binary, await mkdtemp(join(tmpdir(), 'windlass-')), args, env)
  try {
    await anchor.start()
  } catch (problem) {
    await anchor.close()
    throw problem
  }
  return anchor
}

class Anchor {
  #binary
  #args
  #env
  #process
  #ended
  #lines = []
  #ports = { public: 0, admin: 0, horizon: 0, control: 0 }

  constructor(binary, dir, args, env) {
    this.#binary = binary
    this.dir = dir
    this.#args = args
    this.#env = { ...process.env, ...env }
  }

  async start(env = {}) {
    Object.assign(this.#env, env)
    const addresses = join(this.dir, 'addresses.json')
    await rm(addresses, { force: true })
    const { control, ...others } = this.#ports
    const ports = Object.entries(others).flatMap(([name, port]) => [`--${name}-port`, String(port)])
    ports.push('--control', `127.0.0.1:${control}`)
    const child = spawn(this.#binary, ['dev', '--dir', this.dir, ...ports, ...this.#args], { stdio: ['ignore', 'pipe', 'pipe'], env: this.#env })
    this.#process = child
    let exit
    this.#ended = new Promise((resolve) => {
      child.once('error', (problem) => resolve((exit = problem.message)))
      child.once('close', (code, signal) => resolve((exit = `it ended with ${signal ?? code}`)))
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text) => this.#keep(text))
    }

    const deadline = Date.now() + startWithin
    while (exit === undefined) {
      const ready = await readFile(addresses, 'utf8').then(JSON.parse).catch(() => null)
      if (ready) {
        this.public = ready.public
        this.admin = ready.admin
        this.horizon = ready.horizon
        this.control = ready.control
        this.signIn = ready.sign_in
        for (const name of Object.keys(this.#ports)) this.#ports[name] = Number(new URL(ready[name]).port)
        return
      }
      if (Date.now() > deadline) throw this.#failure(`windlass dev was not ready within ${startWithin / 1000} s`)
      await pause(20)
    }
    throw this.#failure(`windlass dev did not start: ${exit}`)
  }

  async signInAs(name) {
    const { stdout } = await promisify(execFile)(this.#binary, ['staff', 'link', name, '--config', join(this.dir, 'anchor.toml')])
    const link = new URL(/https?:\S+/.exec(stdout)[0])
    return new URL(link.pathname + link.search, this.admin).href // the ports are this run's own
  }

  #failure(message) {
    return new Error(`${message}\n${this.tail()}`)
  }

  #keep(text) {
    this.#lines.push(...text.split('\n').filter((line) => line.trim()))
    this.#lines.splice(0, this.#lines.length - 1000)
  }

  tail(lines = tailLines) {
    return this.#lines.slice(-lines).join('\n')
  }

  async kill() {
    this.#process.kill('SIGKILL')
    await this.#ended
  }

  async close() {
    const child = this.#process
    if (child?.pid && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      const hang = setTimeout(() => child.kill('SIGKILL'), stopWithin)
      await this.#ended
      clearTimeout(hang)
    }
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5 })
  }
}
