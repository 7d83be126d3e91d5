import { sleep, systemClock } from '#base'
import { layerCompression, MEDIA_TYPES, parseManifest, parseReference, type Manifest } from '#oci'
import { createRegistries } from '#registry'
import { createTransfer, type TransferProgress } from '#transfer'
import { startFaultyProxy, type Fault } from '#test/faulty-proxy'
import { makeImage, offerImage, tarOf } from '#test/made-image'
import { ownMountNamespace } from '#test/mount-namespace'
import { addLayer, scene, twoLayers, type Scene, type TransferStore } from '#test/transfer-scene'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'

ownMountNamespace()

const CREDENTIALS = { username: 'me', password: 'secret' }
const LIMITS = { downloads: 3, uploads: 5, attempts: 1, delay: 1 }

/** The same bytes each time, of which no compression makes fewer. */
function noise(size: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(size / 32) }, (_, index) => createHash('sha256').update(`${index}`))
  return Buffer.concat(blocks.map((block) => block.digest())).subarray(0, size)
}

/** Pushes an image of one large layer through a proxy that does `choose`; every piece that came to it, in order. */
async function pushThrough(bench: Scene, choose: (request: IncomingMessage) => Fault): Promise<readonly string[]> {
  const image = makeImage([await tarOf({ large: noise(19 << 20) })], { form: 'plain' })
  await offerImage(bench.registry, bench.name('source'), image)
  const store = await bench.open('one')
  const { id } = await store.transfer.pull(bench.name('source'))
  await using proxy = await startFaultyProxy(bench.server.host, () => 0)
  await using registries = createRegistries(
    { mirrors: [], insecure: [], patience: { attempts: 2, delay: 1, longest: 5 } },
    systemClock(),
  )
  const transfer = createTransfer({ ...store, registryFor: registries.registryFor, limits: LIMITS })
  const pieces: string[] = []
  proxy.choose = (request) => {
    if (request.method === 'PATCH') pieces.push(request.headers['content-range'] ?? '')
    return choose(request)
  }
  const name = parseReference(`${proxy.host}/pieces:1`)
  await store.images.tag(name, id)
  const sent = await transfer.push(name, { credentials: CREDENTIALS })
  assert.equal(sent.digest, image.descriptor.digest)
  const other = await bench.open('two')
  assert.equal((await other.transfer.pull(bench.name('pieces:1'))).id, id)
  return pieces
}

const isLargePut = ({ method, headers }: IncomingMessage): boolean =>
  method === 'PUT' && Number(headers['content-length']) > 1 << 20

for (const fault of ['status 413', 'cut'] as const) {
  test(`a blob that a registry does not take whole (${fault}) goes in pieces of 8 MiB, on from where it is`, async () => {
    await scene(async (bench) => {
      let cuts = 0
      const pieces = await pushThrough(bench, (request) => {
        if (isLargePut(request)) return fault
        if (request.method === 'PATCH' && !request.headers['content-range']?.startsWith('0-') && cuts++ === 0)
          return 'cut'
        return 'none'
      })
      const size = 8 << 20
      assert.equal(pieces[0], `0-${size - 1}`)
      assert.deepEqual(pieces.slice(1, 3), [`${size}-${2 * size - 1}`, `${size}-${2 * size - 1}`])
      assert.equal(pieces.length, 4)
    })
  })
}

test('pieces that are too large for the registry are halved', async () => {
  await scene(async (bench) => {
    const pieces = await pushThrough(bench, (request) => {
      const isTooLarge = request.method === 'PATCH' && Number(request.headers['content-length']) > 4 << 20
      return isLargePut(request) || isTooLarge ? 'status 413' : 'none'
    })
    assert.equal(pieces.length, 6)
    assert.equal(pieces[1], `0-${(4 << 20) - 1}`)
  })
})

async function manifestOf(bench: Scene, text: string): Promise<Manifest> {
  const name = bench.name(text)
  const found = await bench.registry.resolve(name)
  return parseManifest(await bench.registry.manifest(name.path, found), found.mediaType)
}

/** An image that was made here, on one that was pulled. */
async function madeHere(bench: Scene): Promise<{ readonly store: TransferStore }> {
  await offerImage(bench.registry, bench.name('base'), await twoLayers())
  const store = await bench.open('one')
  const { id } = await store.transfer.pull(bench.name('base'))
  const made = await addLayer(store, id, 'mine')
  for (const tag of ['made:1', 'made:2']) await store.images.tag(bench.name(tag), made)
  return { store }
}

test('layers go out as zstd where that is asked for, are packed once, and the image keeps its other manifest', async () => {
  await scene(async (bench) => {
    const { store } = await madeHere(bench)
    const name = bench.name('made:1')
    const gzip = await store.transfer.push(name)
    const zstd = await store.transfer.push(name, { compression: 'zstd' })
    const { mediaType, config, layers } = await manifestOf(bench, 'made:1')
    assert.deepEqual([mediaType, config.mediaType], [MEDIA_TYPES.ociManifest, MEDIA_TYPES.ociConfig])
    assert.deepEqual(
      layers.map((layer) => layerCompression(layer.mediaType)),
      ['zstd', 'zstd', 'zstd'],
    )
    const lines: TransferProgress[] = []
    const again = await store.transfer.push(name, { compression: 'zstd', progress: (line) => lines.push(line) })
    assert.deepEqual(again, zstd)
    assert.equal(lines.filter(({ status }) => status === 'Layer already exists').length, 3)
    assert.deepEqual(await store.transfer.push(name), gzip)
    const other = await bench.open('two')
    const pulled = await other.transfer.pull({ ...bench.name('made'), digest: zstd.digest })
    assert.equal(pulled.id, (await store.images.findByName(name))?.id)
  })
})

test('a push of all tags tells once where it goes, and one of a tag that is not there says what there is', async () => {
  await scene(async (bench) => {
    const { store } = await madeHere(bench)
    const refers = (text: string): string => `The push refers to repository [${bench.server.host}/${text}]`
    const pushing = async (work: (progress: (line: TransferProgress) => void) => Promise<unknown>) => {
      const lines: string[] = []
      const note = ({ id, status }: TransferProgress): void => void (id === undefined && lines.push(status))
      await work(note).catch((error: unknown) => lines.push(error instanceof Error ? error.message : ''))
      return lines.map((line) => line.replace(/digest: .*/, 'digest'))
    }
    const { transfer } = store
    assert.deepEqual(await pushing((progress) => transfer.pushAll(bench.name('made'), { progress })), [
      refers('made'),
      '1: digest',
      '2: digest',
    ])
    assert.deepEqual(await pushing((progress) => transfer.pushAll(bench.name('none'), { progress })), [
      refers('none'),
      `An image does not exist locally with the tag: ${bench.server.host}/none`,
    ])
    assert.deepEqual(await pushing((progress) => transfer.push(bench.name('none:1'), { progress })), [
      refers('none'),
      `An image does not exist locally with the tag: ${bench.server.host}/none`,
    ])
    assert.deepEqual(await pushing((progress) => transfer.push(bench.name('made:3'), { progress })), [
      refers('made'),
      `tag does not exist: ${bench.server.host}/made:3`,
    ])
  })
})

test('a layer that is packed again has the same digest', async () => {
  await scene(async (bench) => {
    const { store } = await madeHere(bench)
    await store.transfer.push(bench.name('made:1'))
    const digest = (await manifestOf(bench, 'made:1')).layers.at(-1)?.digest
    assert.ok(digest)
    await store.content.discard(digest)
    store.layers.forgetBlob(digest)
    const layer = (await store.layers.list()).find(({ blobs }) => blobs.length === 0)
    assert.ok(layer)
    // times in a gzip header are seconds
    await sleep(1100)
    await using lease = await store.leases.open('test')
    assert.equal((await store.layers.pack(layer, 'gzip', lease)).digest, digest)
  })
})
