import type { Clock } from '#base'
import type { EngineEvent } from '#event'
import {
  canonicalReference,
  digestOf,
  familiarReference,
  formatImageConfig,
  formatManifest,
  MEDIA_TYPES,
  parseDiffId,
  parseNamed,
  parseReference,
  type Descriptor,
  type ImageConfig,
} from '#oci'
import { openContentStore, contentJobs } from '#store/content'
import { openDatabase } from '#store/db'
import { createLeases, type Lease } from '#store/lease'
import { silentLog } from '#base'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createImageCollector } from './collector.ts'
import { createImages } from './images.ts'
import type { ImageCollector, Images } from './types.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-image-'))
after(() => rmSync(folder, { recursive: true }))

interface Bench {
  readonly images: Images
  readonly collector: ImageCollector
  readonly lease: Lease
  readonly events: Omit<EngineEvent, 'time'>[]
  readonly put: (bytes: Uint8Array, mediaType: string) => Promise<Descriptor>
}

async function bench(): Promise<Bench> {
  const root = mkdtempSync(join(folder, 'root-'))
  const database = await openDatabase(join(root, 'engine.db'))
  after(() => database[Symbol.asyncDispose]())
  let now = 1_790_000_000_000_000_000n
  const clock: Clock = { nanoseconds: () => (now += 1n), milliseconds: () => Number(now / 1_000_000n) }
  const lease = await createLeases().open('test')
  const jobs = {
    async run<Input, Output>(_job: string, input: Input): Promise<Output> {
      return contentJobs['content.hash'](String(input), { cancelled: () => false }) as Output
    },
  }
  const content = await openContentStore({ folder: root, database, jobs, clock, log: silentLog() })
  const events: Omit<EngineEvent, 'time'>[] = []
  const images = createImages({ database, content, events: { emit: (event) => void events.push(event) }, clock })
  const put = async (bytes: Uint8Array, mediaType: string): Promise<Descriptor> => ({
    mediaType,
    ...(await content.put(bytes, lease)),
  })
  return { images, collector: createImageCollector({ database, clock }), lease, events, put }
}

const DIFF = parseDiffId(`sha256:${'5e'.repeat(32)}`)

function configBytes(label: string, layers = [DIFF]): Buffer {
  const config: ImageConfig = {
    os: 'linux',
    architecture: 'amd64',
    config: { Labels: { label } },
    rootfs: { type: 'layers', diff_ids: layers },
    history: [],
  }
  return formatImageConfig(config)
}

test('create() keeps config and record; open() gives them back', async () => {
  const { images, lease } = await bench()
  const bytes = configBytes('a')
  const made = await images.create(bytes, {}, lease)
  assert.equal(made.id, digestOf(bytes))
  assert.equal(made.chain, DIFF)
  const opened = await images.open(made.id)
  assert.deepEqual(opened, made)
  assert.deepEqual(opened.config.config.Labels, { label: 'a' })
  const again = await images.create(bytes, { parent: made.id }, lease)
  assert.equal(again.parent, made.id)
  assert.equal((await images.list()).length, 1)
})

test('resolve() takes a name, an id, 64 digits and a prefix, and the name beats the prefix', async () => {
  const { images, lease } = await bench()
  const { id } = await images.create(configBytes('a'), {}, lease)
  const other = await images.create(configBytes('b'), {}, lease)
  await images.tag(parseReference('app'), id)
  const hex = id.slice(7)
  for (const text of ['app', 'app:latest', 'docker.io/library/app', id, hex, hex.slice(0, 12), id.slice(0, 19)]) {
    assert.equal((await images.resolve(text)).id, id, text)
  }
  await images.tag(parseReference(hex.slice(0, 12)), other.id)
  assert.equal((await images.resolve(hex.slice(0, 12))).id, other.id)
})

const MISSING = [
  ['nope', 'No such image: nope:latest'],
  ['nope:1', 'No such image: nope:1'],
  ['a.b/c', 'No such image: a.b/c:latest'],
  ['sha256:abc', 'No such image: sha256:abc'],
  [`sha256:${'0'.repeat(64)}`, `No such image: sha256:${'0'.repeat(64)}`],
] as const

for (const [text, message] of MISSING) {
  test(`resolve() of ${text.slice(0, 20)} that is not there says so in the words of Docker`, async () => {
    const { images } = await bench()
    await assert.rejects(images.resolve(text), { kind: 'not-found', message })
  })
}

test('resolve() refuses an ambiguous prefix and a text that is no name', async () => {
  const { images, lease } = await bench()
  // More images than hex digits: two share the first.
  const made = []
  for (let index = 0; index < 17; index += 1) made.push(await images.create(configBytes(String(index)), {}, lease))
  const digits = made.map(({ id }) => id[7] ?? '')
  const shared = digits.find((digit, index) => digits.indexOf(digit) !== index) ?? ''
  await assert.rejects(images.resolve(shared), { kind: 'not-found', message: `No such image: ${shared}:latest` })
  await assert.rejects(images.resolve('A:1'), { kind: 'invalid', message: /must be lowercase/ })
})

test('tag() moves a name, untag() takes it away, remove() wants no name left', async () => {
  const { images, lease, events } = await bench()
  const one = await images.create(configBytes('a'), {}, lease)
  const two = await images.create(configBytes('b'), {}, lease)
  const name = parseReference('app:1')
  await images.tag(name, one.id)
  await images.tag(name, two.id)
  assert.deepEqual((await images.open(one.id)).names, [])
  assert.deepEqual((await images.open(two.id)).names.map(familiarReference), ['app:1'])
  await assert.rejects(images.remove(two.id), { kind: 'conflict' })
  await images.untag(name)
  await images.remove(two.id)
  await assert.rejects(images.untag(name), { kind: 'not-found', message: 'No such image: app:1' })
  await assert.rejects(images.open(two.id), { kind: 'not-found' })
  await assert.rejects(images.tag(name, two.id), { kind: 'not-found' })
  assert.deepEqual(
    events.map(({ action, actor }) => [action, actor.id, actor.attributes['name'], actor.attributes['label']]),
    [
      ['tag', one.id, 'app:1', 'a'],
      ['tag', two.id, 'app:1', 'b'],
      ['untag', two.id, two.id, 'b'],
      ['delete', two.id, two.id, undefined],
    ],
  )
})

test('a manifest names its image by digest, and its blobs live as long as the image', async () => {
  const { images, lease, collector, put } = await bench()
  const config = configBytes('a')
  const layer = await put(Buffer.from('layer'), MEDIA_TYPES.ociLayer)
  const manifest = await put(
    formatManifest({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: await put(config, MEDIA_TYPES.ociConfig),
      layers: [layer],
    }),
    MEDIA_TYPES.ociManifest,
  )
  const { id, manifests } = await images.create(config, { manifest }, lease)
  assert.deepEqual(manifests, [manifest])
  assert.equal((await images.findByDigest(manifest.digest))?.id, id)
  await images.tag({ ...parseNamed('app:1'), digest: manifest.digest }, id)
  const { names } = await images.resolve(`app@${manifest.digest}`)
  assert.deepEqual(names.map(canonicalReference), [`docker.io/library/app@${manifest.digest}`])
  assert.equal((await images.findByName(parseNamed(`app@${manifest.digest}`)))?.id, id)
  assert.deepEqual([...collector.roots()], [{ kind: 'image', id }])
  const kept = [...collector.edges({ kind: 'image', id })].map(({ kind, id: of }) => `${kind} ${of}`)
  assert.deepEqual(
    kept.toSorted(),
    [`blob ${id}`, `blob ${layer.digest}`, `blob ${manifest.digest}`, `snapshot ${DIFF}`].toSorted(),
  )
  await images.untag(parseNamed(`app@${manifest.digest}`))
  await images.remove(id)
  assert.deepEqual([...collector.edges({ kind: 'image', id })].length, 1)
})

test('list() is newest first', async () => {
  const { images, lease } = await bench()
  const one = await images.create(configBytes('a'), {}, lease)
  const two = await images.create(configBytes('b'), {}, lease)
  assert.deepEqual(
    (await images.list()).map(({ id }) => id),
    [two.id, one.id],
  )
})
