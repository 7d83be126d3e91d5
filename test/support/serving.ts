import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '#base'
import { createApiServer, createRouter, type Route } from '#api/exchange'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly text: string
  /** False where the connection had served another call before. */
  readonly fresh: boolean
}

export interface Call {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A server of these routes on a unix socket, with one connection for all calls, and on the loopback. */
export interface Serving extends AsyncDisposable {
  readonly socketPath: string
  /** `127.0.0.1:PORT`. */
  readonly address: string
  call(path: string, options?: Call): Promise<Answer>
}

export async function serve(routes: readonly Route[]): Promise<Serving> {
  const folder = mkdtempSync(join(tmpdir(), 'mica-api-'))
  const socketPath = join(folder, 's')
  const server = createApiServer({ router: createRouter(routes), log: silentLog(), product: 'test' })
  const [, address = ''] = await server.listen([`unix://${socketPath}`, 'tcp://127.0.0.1:0'])
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return {
    socketPath,
    address: address.replace('tcp://', ''),
    call: (path, options = {}) => call({ socketPath, agent, path }, options),
    async [Symbol.asyncDispose]() {
      agent.destroy()
      await server.close()
      rmSync(folder, { recursive: true })
    },
  }
}

interface Place {
  readonly socketPath: string
  readonly agent: Agent
  readonly path: string
}

function call(place: Place, { method = 'GET', headers = {}, body }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...place, method, headers })
    asked.on('error', reject)
    asked.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('error', reject)
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, fresh: !asked.reusedSocket })
      })
    })
    asked.end(body)
  })
}
