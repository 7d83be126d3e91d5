import { listen } from '#test/loopback'
import { setTimeout as sleep } from 'node:timers/promises'
import { request as send, type IncomingMessage, type ServerResponse } from 'node:http'

/** What goes wrong with one request; `none` hands it through. */
export type Fault =
  | 'none'
  | 'cut'
  | 'slow'
  | 'alter'
  | 'ignore range'
  | 'status 500'
  | 'status 429'
  | 'status 413'
  | 'short length'
  | 'too long'
  | 'wrong type'
  | 'redirect'
  | 'redirect to trap'

export const FAULTS: readonly Fault[] = [
  'none',
  'cut',
  'slow',
  'alter',
  'ignore range',
  'status 500',
  'status 429',
  'short length',
  'too long',
  'wrong type',
  'redirect',
  'redirect to trap',
]

export interface FaultyProxy extends AsyncDisposable {
  readonly host: string
  /** Chooses the fault of a request. */
  choose: (request: IncomingMessage) => Fault
  /** Body bytes that went out. */
  bytes: number
  /** `authorization` headers that reached the host to which requests were redirected. */
  readonly stolen: string[]
}

const AUTHORIZATION = `Basic ${Buffer.from('me:secret').toString('base64')}`

/** Stands before a registry, asks for Basic credentials (me, secret), and spoils what it is told to. */
export async function startFaultyProxy(registry: string, random: () => number): Promise<FaultyProxy> {
  const stolen: string[] = []
  const elsewhere = await listen((request, reply) => {
    if (request.headers.authorization !== undefined) stolen.push(request.headers.authorization)
    if (request.url?.startsWith('/trap')) reply.writeHead(401, { 'www-authenticate': 'Basic realm="trap"' }).end()
    else void forward(registry, request).then(({ status, headers, body }) => reply.writeHead(status, headers).end(body))
  })
  const proxy: Omit<FaultyProxy, 'host' | typeof Symbol.asyncDispose> = { choose: () => 'none', bytes: 0, stolen }
  const front = await listen((request, reply) => {
    if (request.headers.authorization !== AUTHORIZATION) {
      request.resume()
      reply.writeHead(401, { 'www-authenticate': 'Basic realm="registry"' }).end()
      return
    }
    const fault = proxy.choose(request)
    void answer({ registry, elsewhere: elsewhere.host, random, fault }, request, reply).then((bytes) => {
      proxy.bytes += bytes
    })
  })
  return Object.assign(proxy, {
    host: front.host,
    async [Symbol.asyncDispose]() {
      await front.close()
      await elsewhere.close()
    },
  })
}

interface Scene {
  readonly registry: string
  readonly elsewhere: string
  readonly random: () => number
  readonly fault: Fault
}

/** Resolves with the body bytes that were sent. */
async function answer(scene: Scene, request: IncomingMessage, reply: ServerResponse): Promise<number> {
  const { fault, elsewhere, random, registry } = scene
  const isRead = request.method === 'GET'
  if (fault === 'status 500' || fault === 'status 429' || fault === 'status 413') {
    request.resume()
    reply.writeHead(Number(fault.slice(-3)), { 'retry-after': '0' }).end()
    return 0
  }
  if (isRead && (fault === 'redirect' || fault === 'redirect to trap')) {
    const path = fault === 'redirect' ? request.url : `/trap${request.url}`
    reply.writeHead(307, { location: `http://${elsewhere}${path}` }).end()
    return 0
  }
  if (fault === 'ignore range') delete request.headers.range
  if (fault === 'cut' && !isRead) {
    request.socket.destroy()
    return 0
  }
  const { status, headers, body } = await forward(registry, request)
  const spoiled = isRead ? spoil(fault, body, random) : body
  if (isRead && fault === 'wrong type') headers['content-type'] = 'text/html'
  if (isRead && fault === 'too long') delete headers['content-length']
  if (isRead && fault === 'short length') headers['content-length'] = String(spoiled.length)
  reply.writeHead(status, headers)
  if (isRead && fault === 'cut') {
    const count = Math.floor(random() * body.length)
    reply.write(body.subarray(0, count), () => setTimeout(() => reply.destroy(), 2))
    return count
  }
  if (isRead && fault === 'slow') for (const part of partsOf(spoiled)) await writePart(reply, part)
  else reply.write(spoiled)
  reply.end()
  return spoiled.length
}

/** A few pieces, with a pause after each. */
function partsOf(body: Buffer): readonly Buffer[] {
  const size = Math.ceil(body.length / 4) || 1
  return [0, 1, 2, 3].map((at) => body.subarray(at * size, (at + 1) * size))
}

async function writePart(reply: ServerResponse, part: Buffer): Promise<void> {
  reply.write(part)
  await sleep(5)
}

function spoil(fault: Fault, body: Buffer, random: () => number): Buffer {
  if (body.length === 0) return body
  if (fault === 'short length') return body.subarray(0, Math.floor(random() * body.length))
  if (fault === 'too long') return Buffer.concat([body, Buffer.from('more')])
  if (fault !== 'alter') return body
  const altered = Buffer.from(body)
  const at = Math.floor(random() * body.length)
  altered[at] = (altered[at] ?? 0) ^ 1
  return altered
}

interface Forwarded {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: Buffer
}

function forward(registry: string, request: IncomingMessage): Promise<Forwarded> {
  return new Promise((resolve, reject) => {
    const { authorization: _, ...headers } = request.headers
    const call = send(`http://${registry}${request.url}`, { method: request.method, headers }, (reply) => {
      const chunks: Buffer[] = []
      reply.on('data', (chunk: Buffer) => chunks.push(chunk))
      reply.on('end', () => {
        const known = ['content-type', 'content-length', 'content-range', 'docker-content-digest', 'location', 'range']
        const kept = known.map((name) => [name, reply.headers[name]]).filter(([, value]) => typeof value === 'string')
        resolve({ status: reply.statusCode ?? 502, headers: Object.fromEntries(kept), body: Buffer.concat(chunks) })
      })
    })
    call.on('error', reject)
    request.pipe(call)
  })
}
