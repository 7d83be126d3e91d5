import { parseReference, type Reference } from '#oci'
import { createRegistries } from '#registry'
import { systemClock } from '#base'
import { openTestHub, testHub, type TestHub } from '#test/hub'
import { watchLeftovers } from '#test/leftovers'
import { makeImage, offerImage, tarOf, type MadeImage } from '#test/made-image'
import { ownMountNamespace } from '#test/mount-namespace'
import { startRegistry } from '#test/registry'
import { temporary, type Temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import { test } from 'node:test'

ownMountNamespace()

const layered = async (text: string): Promise<MadeImage> =>
  makeImage([await tarOf({ one: text.repeat(1_500_000) })], { form: 'plain' })

async function offer(host: string, name: string, image: MadeImage): Promise<void> {
  await using registries = createRegistries({ mirrors: [], insecure: [] }, systemClock())
  const reference: Reference = parseReference(`${host}/${name}`)
  const [registry] = registries.registryFor(reference)
  assert.ok(registry)
  await offerImage(registry, reference, image)
}

async function assertServed(mirror: TestHub, path: string, image: MadeImage): Promise<void> {
  const manifest = await mirror.ask('GET', path)
  assert.equal(manifest.status, 200, manifest.text)
  assert.ok(manifest.bytes.equals(image.bytes))
  assert.equal(manifest.header('docker-content-digest'), image.descriptor.digest)
  for (const [digest, bytes] of image.blobs) {
    const blob = await mirror.ask('GET', path.replace(/\/manifests\/.*/, `/blobs/${digest}`))
    assert.equal(blob.status, 200)
    assert.ok(blob.bytes.equals(bytes))
  }
}

test(
  'a cache of another registry keeps what was asked for, follows its tags, and answers while it is away',
  { timeout: 120_000 },
  async () => {
    using folder = temporary()
    const leftovers = watchLeftovers(folder.path)
    {
      await using stack = new AsyncDisposableStack()
      const [one, two] = [await layered('one'), await layered('two')]
      const path = '/v2/library/app/manifests/latest'
      const upstream = await startRegistry(folder.path)
      let mirror: TestHub
      {
        await using _ = upstream
        mirror = await openTestHub(stack, folder.join('store'), { mirrorOf: upstream.base })
        assert.equal((await mirror.ask('GET', path)).status, 404)
        await offer(upstream.host, 'library/app', one)
        await offer(upstream.host, 'library/app:one', one)
        await assertServed(mirror, path, one)
        await offer(upstream.host, 'library/app', two)
        await assertServed(mirror, path, two)
        assert.deepEqual(JSON.parse((await mirror.ask('GET', '/v2/library/app/tags/list')).text).tags, [
          'latest',
          'one',
        ])
        await mirror.store.gc.collect()
      }
      await assertServed(mirror, path, two)
      await assertServed(mirror, `/v2/library/app/manifests/${one.descriptor.digest}`, one)
      assert.equal((await mirror.ask('GET', '/v2/library/app/manifests/one')).status, 503)
      assert.equal((await mirror.ask('GET', '/v2/library/other/manifests/one')).status, 503)
      assert.deepEqual(JSON.parse((await mirror.ask('GET', '/v2/library/app/tags/list')).text).tags, ['latest'])
      for (const [method, at] of [
        ['PUT', path],
        ['DELETE', path],
        ['POST', '/v2/library/app/blobs/uploads/'],
      ] as const)
        assert.deepEqual(
          [(await mirror.ask(method, at)).status, (await mirror.ask(method, at)).code],
          [405, 'UNSUPPORTED'],
        )
      assert.equal((await mirror.ask('GET', `/v2/library/app/referrers/${one.descriptor.digest}`)).status, 404)
      assert.equal(mirror.hub.prune({ mirrors: true }), 2)
      await mirror.store.gc.collect()
      assert.deepEqual(await mirror.store.content.list(), [])
    }
    await leftovers.assertNothingLeft()
  },
)

/** Bytes of a blob that come before the rest is let go. */
const FIRST = 3_000_000

/** A registry of one image whose blobs come as the test says. */
interface Upstream extends AsyncDisposable {
  readonly url: string
  /** How often blobs were asked for. */
  readonly asked: string[]
}

type SendBlob = (bytes: Uint8Array, response: ServerResponse, request: IncomingMessage) => void

async function startUpstream(image: MadeImage, sendBlob: SendBlob): Promise<Upstream> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    const blob = [...image.blobs].find(([digest]) => path.endsWith(`/blobs/${digest}`))
    if (blob) {
      asked.push(path)
      sendBlob(Buffer.from(blob[1]), response, request)
    } else if (path.includes('/manifests/')) {
      response.setHeader('content-type', image.manifest.mediaType)
      response.setHeader('docker-content-digest', image.descriptor.digest)
      response.setHeader('content-length', image.bytes.length)
      response.end(request.method === 'HEAD' ? undefined : image.bytes)
    } else response.writeHead(path === '/v2/' ? 200 : 404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address)
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function mirrorOf(
  stack: AsyncDisposableStack,
  folder: Temporary,
  image: MadeImage,
  sendBlob: SendBlob,
): Promise<{ readonly mirror: TestHub; readonly upstream: Upstream; readonly layer: string }> {
  const upstream = stack.use(await startUpstream(image, sendBlob))
  const mirror = await openTestHub(stack, folder.join('store'), { mirrorOf: upstream.url })
  assert.equal((await mirror.ask('GET', '/v2/app/manifests/v1')).status, 200)
  const [layer] = image.manifest.layers
  assert.ok(layer)
  return { mirror, upstream, layer: `/v2/app/blobs/${layer.digest}` }
}

/** The bytes of a reply as they come. */
function follow(
  address: string,
  path: string,
): { readonly chunks: Buffer[]; readonly ended: Promise<'whole' | 'cut'> } {
  const chunks: Buffer[] = []
  const ended = new Promise<'whole' | 'cut'>((resolve) => {
    get(`http://${address}${path}`, (reply) => {
      reply.on('data', (chunk: Buffer) => chunks.push(chunk))
      reply.on('error', () => resolve('cut'))
      reply.on('end', () => resolve(reply.complete ? 'whole' : 'cut'))
    }).on('error', () => resolve('cut'))
  })
  return { chunks, ended }
}

test(
  'readers get the bytes while they come, and the other registry is asked once for all of them',
  { timeout: 120_000 },
  async () => {
    using folder = temporary()
    await using stack = new AsyncDisposableStack()
    const image = await layered('tee')
    const go = Promise.withResolvers<void>()
    const { mirror, upstream, layer } = await mirrorOf(stack, folder, image, (bytes, response) => {
      response.write(bytes.subarray(0, FIRST))
      void go.promise.then(() => response.end(bytes.subarray(FIRST)))
    })
    const readers = [follow(mirror.address, layer), follow(mirror.address, layer), follow(mirror.address, layer)]
    for (const { chunks } of readers) await until('the first part is here', () => chunks.length > 0, 60)
    const range = await mirror.ask('GET', layer, { headers: { range: 'bytes=10-19' } })
    assert.deepEqual([range.status, range.bytes.length], [206, 10])
    go.resolve()
    const bytes = image.blobs.get(image.manifest.layers[0]?.digest ?? image.descriptor.digest)
    assert.ok(bytes)
    for (const { chunks, ended } of readers) {
      assert.equal(await ended, 'whole')
      assert.ok(Buffer.concat(chunks).equals(bytes))
    }
    assert.equal(upstream.asked.length, 1)
  },
)

test('a listener is stopped while the other registry stalls', { timeout: 120_000 }, async () => {
  using folder = temporary()
  await using stack = new AsyncDisposableStack()
  const image = await layered('stall')
  const { mirror, layer } = await mirrorOf(stack, folder, image, (bytes, response) => {
    response.write(bytes.subarray(0, FIRST))
  })
  const reader = follow(mirror.address, layer)
  await until('the first part is here', () => reader.chunks.length > 0, 60)
  await mirror.hub.stop(mirror.address)
  assert.equal(await reader.ended, 'cut')
})

test('a download goes on when its reader has left', { timeout: 120_000 }, async () => {
  using folder = temporary()
  await using stack = new AsyncDisposableStack()
  const image = await layered('left')
  const go = Promise.withResolvers<void>()
  const { mirror, upstream, layer } = await mirrorOf(stack, folder, image, (bytes, response) => {
    response.write(bytes.subarray(0, FIRST))
    void go.promise.then(() => response.end(bytes.subarray(FIRST)))
  })
  await new Promise<void>((resolve) => {
    const call = get(`http://${mirror.address}${layer}`, (reply) => reply.once('data', () => call.destroy()))
    call.on('close', resolve).on('error', () => undefined)
  })
  go.resolve()
  const found = await mirror.ask('GET', layer)
  assert.equal(found.bytes.length, image.manifest.layers[0]?.size)
  assert.equal(upstream.asked.length, 1)
})

test('altered bytes never make a whole reply, and nothing of them is kept', { timeout: 120_000 }, async () => {
  using folder = temporary()
  await using stack = new AsyncDisposableStack()
  const image = await layered('lie')
  const { mirror, layer } = await mirrorOf(stack, folder, image, (bytes, response) => {
    const altered = Buffer.from(bytes)
    altered[70_000] = 7
    response.end(altered)
  })
  assert.equal(await follow(mirror.address, layer).ended, 'cut')
  const digests = (await mirror.store.content.list()).map(({ digest }) => digest)
  assert.deepEqual(digests, [image.descriptor.digest])
})

test('the engine pulls through its own cache, and pushes to its own registry', { timeout: 120_000 }, async () => {
  using folder = temporary()
  await using stack = new AsyncDisposableStack()
  const image = await layered('self')
  const { mirror, upstream } = await mirrorOf(stack, folder, image, (bytes, response) => void response.end(bytes))
  const { transfer, images } = mirror.store
  const pulled = await transfer.pull(parseReference(`${mirror.address}/app:v1`))
  assert.equal(pulled.id, image.manifest.config.digest)
  assert.equal(upstream.asked.length, 2)
  const options = { listen: '127.0.0.1:0', readOnly: false, isPublic: false }
  const { address } = await mirror.hub.serve(options, { keep: false })
  await images.tag(parseReference(`${address}/own/app:v1`), pulled.id)
  await transfer.push(parseReference(`${address}/own/app:v1`))
  await assertServed(testHub(mirror.hub, mirror.store, address), '/v2/own/app/manifests/v1', image)
})

test('a listener beside a cache does not show what the cache holds', { timeout: 120_000 }, async () => {
  using folder = temporary()
  await using stack = new AsyncDisposableStack()
  const image = await layered('own')
  const { mirror, layer } = await mirrorOf(stack, folder, image, (bytes, response) => void response.end(bytes))
  assert.equal((await mirror.ask('GET', layer)).status, 200)
  const options = { listen: '127.0.0.1:0', readOnly: false, isPublic: false }
  const beside = await mirror.hub.serve(options, { keep: false })
  const own = testHub(mirror.hub, mirror.store, beside.address)
  assert.equal((await own.ask('GET', layer)).status, 404)
  assert.deepEqual(JSON.parse((await own.ask('GET', '/v2/_catalog')).text), { repositories: [] })
})
