import assert from 'node:assert/strict'
import { request } from 'node:http'
import type { TestContext } from 'node:test'
import { systemClock } from '#base'
import { createHub, type Hub, type ServeRequest } from '#hub'
import { digestOf, MEDIA_TYPES, type Digest } from '#oci'
import { createRegistries } from '#registry'
import { createTransfer } from '#transfer'
import type { TransferStore } from './transfer-scene.ts'
import { watchLeftovers } from './leftovers.ts'
import { openTestStore } from './store.ts'
import { temporary } from './temporary.ts'

export interface Answer {
  readonly status: number
  header(name: string): string
  readonly bytes: Buffer
  readonly text: string
  /** The code of its first error; '' where there is none. */
  readonly code: string
}

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

/** A listener of a hub. */
export interface TestHub extends HubClient {
  readonly hub: Hub
  readonly store: TransferStore
}

/** Somebody who speaks to a registry. */
export interface HubClient {
  /** `127.0.0.1:PORT`. */
  readonly address: string
  /** One request; the path goes out as it is. */
  readonly ask: (method: string, path: string, options?: AskOptions) => Promise<Answer>
  /** POST, PUT: the blob's digest. */
  putBlob(repository: string, bytes: Uint8Array | string): Promise<Digest>
}

/** A hub over a store of its own, without an engine. */
export async function openTestHub(
  stack: AsyncDisposableStack,
  folder: string,
  options: Partial<ServeRequest> = {},
): Promise<TestHub> {
  const opened = stack.use(await openTestStore(folder))
  const patience = { attempts: 1, delay: 1, longest: 1 }
  const registries = stack.use(createRegistries({ mirrors: [], insecure: [], patience }, systemClock()))
  const { registryFor } = registries
  const limits = { downloads: 3, uploads: 5, attempts: 2, delay: 1 }
  const store: TransferStore = { ...opened, transfer: createTransfer({ ...opened, registryFor, limits }) }
  const hub = stack.use(createHub({ ...store, registries }))
  const listener = await hub.serve(
    { listen: '127.0.0.1:0', readOnly: false, isPublic: false, ...options },
    { keep: false },
  )
  return testHub(hub, store, listener.address)
}

/** Another listener of the same hub. */
export function testHub(hub: Hub, store: TransferStore, address: string): TestHub {
  return { ...clientOf(address), hub, store }
}

/** Of whoever serves a registry there. */
export function clientOf(address: string): HubClient {
  const ask: HubClient['ask'] = (method, path, asked = {}) => askRegistry(address, method, path, asked)
  return {
    address,
    ask,
    async putBlob(repository, bytes) {
      const digest = digestOf(bytes)
      const begun = await ask('POST', `/v2/${repository}/blobs/uploads/`)
      const ended = await ask('PUT', `${begun.header('location')}?digest=${digest}`, { body: bytes })
      if (ended.status !== 201) throw new Error(`the blob was refused: ${ended.status} ${ended.text}`)
      return digest
    },
  }
}

/** One request of the distribution API by plain HTTP. */
export function askRegistry(address: string, method: string, path: string, options: AskOptions = {}): Promise<Answer> {
  const [host, port] = address.split(':')
  const { body, headers = {} } = options
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, method, path, headers: { ...length, ...headers } }, (reply) => {
      const chunks: Buffer[] = []
      reply.on('data', (chunk: Buffer) => chunks.push(chunk))
      reply.on('error', reject)
      reply.on('end', () => {
        const bytes = Buffer.concat(chunks)
        const text = bytes.toString()
        const header = (name: string): string => reply.headersDistinct[name]?.[0] ?? ''
        resolve({ status: reply.statusCode ?? 0, header, bytes, text, code: /"code":"(\w+)"/.exec(text)?.[1] ?? '' })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** A digest that no store has. */
export const ABSENT = digestOf('nobody has this')
/** The config of `pushImage`. */
export const EMPTY = '{}'

export interface PushedImage {
  readonly digest: Digest
  readonly bytes: string
  readonly config: Digest
  readonly layer: Digest
}

/** A manifest with one layer of these bytes. */
export async function pushImage(hub: HubClient, name: string, tag: string, more: object = {}): Promise<PushedImage> {
  const content = `layer of ${name}:${tag}`
  const [config, layer] = [await hub.putBlob(name, EMPTY), await hub.putBlob(name, content)]
  const bytes = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: { mediaType: MEDIA_TYPES.ociConfig, digest: config, size: EMPTY.length },
    layers: [{ mediaType: MEDIA_TYPES.ociLayer, digest: layer, size: content.length }],
    ...more,
  })
  const put = await hub.ask('PUT', `/v2/${name}/manifests/${tag}`, asManifest(bytes))
  assert.equal(put.status, 201, put.text)
  return { digest: digestOf(bytes), bytes, config, layer }
}

export const asManifest = (body: string, type: string = MEDIA_TYPES.ociManifest) => ({
  body,
  headers: { 'content-type': type },
})

/** What the distribution specification asks of a registry: its section, the case, what must be so. */
export interface HubCase {
  readonly section: string
  readonly name: string
  readonly check: (hub: TestHub) => Promise<void>
}

/** Each case against one registry. */
export async function runCases(context: TestContext, cases: readonly HubCase[]): Promise<void> {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  {
    await using stack = new AsyncDisposableStack()
    const hub = await openTestHub(stack, folder.join('store'))
    for (const { section, name, check } of cases) await context.test(`${section}: ${name}`, () => check(hub))
  }
  await leftovers.assertNothingLeft()
}
