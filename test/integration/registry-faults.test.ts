import { collect, EngineError, messageOf, systemClock } from '#base'
import { parseReference } from '#oci'
import { createRegistries } from '#registry'
import { createTransfer } from '#transfer'
import { isSoak } from '#test/environment'
import { FAULTS, startFaultyProxy, type Fault, type FaultyProxy } from '#test/faulty-proxy'
import { makeImage, offerImage, tarOf, type MadeImage } from '#test/made-image'
import { ownMountNamespace } from '#test/mount-namespace'
import { addLayer, allDigests, assertBlobs, scene, type Scene, type TransferStore } from '#test/transfer-scene'
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

ownMountNamespace()

const ROUNDS = isSoak() ? 500 : 40
const CREDENTIALS = { username: 'me', password: 'secret' }
const LIMITS = { downloads: 3, uploads: 5, attempts: 4, delay: 1 }

/** The same numbers each time (mulberry32): a failing round can be looked at again. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

interface Faulty {
  readonly store: TransferStore
  readonly proxy: FaultyProxy
  readonly random: () => number
}

/** A store whose transfers go through the proxy. */
async function throughProxy(bench: Scene, work: (faulty: Faulty) => Promise<void>): Promise<void> {
  const random = seeded(20_260)
  await using proxy = await startFaultyProxy(bench.server.host, random)
  const patience = { attempts: 3, delay: 1, longest: 5 }
  await using registries = createRegistries({ mirrors: [], insecure: [], patience }, systemClock())
  const store = await bench.open('one')
  const transfer = createTransfer({ ...store, registryFor: registries.registryFor, limits: LIMITS })
  await work({ store: { ...store, transfer }, proxy, random })
  assert.deepEqual(proxy.stolen, [])
}

async function noisyImage(label: string): Promise<MadeImage> {
  const noise = (seed: number): Buffer => {
    const random = seeded(seed)
    return Buffer.from(Uint8Array.from({ length: 200_000 }, () => random() * 256))
  }
  return makeImage([await tarOf({ one: noise(1) }), await tarOf({ two: noise(2) }), await tarOf({ label })])
}

test(`${ROUNDS} pulls through a faulty proxy: the image or an error, never a wrong byte, and no stolen password`, async () => {
  await scene(async (bench) => {
    const image = await noisyImage('pull')
    await offerImage(bench.registry, bench.name('x'), image)
    await throughProxy(bench, async ({ store, proxy, random }) => {
      const name = parseReference(`${proxy.host}/x`)
      let whole = 0
      for (let round = 0; round < ROUNDS; round += 1) {
        const spoiled = random()
        proxy.choose = () => (random() < spoiled ? (FAULTS[Math.floor(random() * FAULTS.length)] ?? 'none') : 'none')
        if (await pulls(store, name, image)) whole += 1
        await verifyAll(store)
        await forgetImages(store)
      }
      assert.ok(whole > 0 && whole < ROUNDS, `${whole} of ${ROUNDS} pulls came through`)
    })
    const store = await bench.open('two')
    await store.transfer.pull(bench.name('x'))
    assertBlobs(bench.folder.join('two'), allDigests(image))
  })
})

async function pulls(
  store: TransferStore,
  name: ReturnType<typeof parseReference>,
  image: MadeImage,
): Promise<boolean> {
  try {
    const pulled = await store.transfer.pull(name, { credentials: CREDENTIALS })
    assert.equal(pulled.id, image.manifest.config.digest)
    return true
  } catch (error) {
    assert.ok(error instanceof EngineError, messageOf(error))
    assert.ok(!error.message.includes('secret') && !error.message.includes('bWU6'), error.message)
    assert.deepEqual(await store.images.list(), [])
    return false
  }
}

/** Every blob reads back as its digest. */
async function verifyAll(store: TransferStore): Promise<void> {
  for (const { digest } of await store.content.list()) await collect(store.content.read(digest))
}

async function forgetImages(store: TransferStore): Promise<void> {
  for (const { id, names } of await store.images.list()) {
    for (const name of names) await store.images.untag(name)
    await store.images.remove(id)
  }
  await store.gc.collect()
}

/** After which a download can go on from the bytes that came. */
const PASSING: readonly Fault[] = ['cut', 'slow', 'status 500', 'status 429', 'redirect', 'short length']

test('downloads that are cut, slowed, refused or sent elsewhere move no byte twice', async () => {
  await scene(async (bench) => {
    const image = await noisyImage('cut')
    await offerImage(bench.registry, bench.name('x'), image)
    await throughProxy(bench, async ({ store, proxy, random }) => {
      const any = (): Fault => PASSING[Math.floor(random() * PASSING.length)] ?? 'none'
      proxy.choose = ({ url }) => (url?.includes('/blobs/') && random() < 0.7 ? any() : 'none')
      const name = parseReference(`${proxy.host}/x`)
      for (let tries = 0; !(await pulls(store, name, image)); tries += 1) assert.ok(tries < 20, 'the pull never ends')
      const size = [...image.blobs.values()].reduce((sum, blob) => sum + blob.length, image.bytes.length * 20)
      assert.ok(proxy.bytes <= size * 1.1, `${proxy.bytes} bytes for ${size}`)
    })
  })
})

test(`${ROUNDS / 4} pushes through a faulty proxy: what the registry has is whole`, async () => {
  await scene(async (bench) => {
    const image = await noisyImage('push')
    await offerImage(bench.registry, bench.name('x'), image)
    await throughProxy(bench, async ({ store, proxy, random }) => {
      const { id } = await store.transfer.pull(bench.name('x'))
      let whole = 0
      for (let round = 0; round < ROUNDS / 4; round += 1) {
        const spoiled = random()
        proxy.choose = () => (random() < spoiled ? (FAULTS[Math.floor(random() * FAULTS.length)] ?? 'none') : 'none')
        const made = await addLayer(store, id, `round ${round}`, `work${round}`)
        const name = parseReference(`${proxy.host}/pushed:${round}`)
        await store.images.tag(name, made)
        try {
          const sent = await store.transfer.push(name, { credentials: CREDENTIALS })
          const direct = bench.name(`pushed:${round}`)
          assert.equal((await bench.registry.resolve(direct)).digest, sent.digest)
          whole += 1
        } catch (error) {
          assert.ok(error instanceof EngineError, messageOf(error))
        }
      }
      assert.ok(whole > 0, 'no push came through')
      const tags = await bench.registry.tags('pushed')
      for (const tag of tags) {
        const other = await bench.open(`check${tag}`)
        await other.transfer.pull(bench.name(`pushed:${tag}`))
      }
      assert.ok(tags.length >= whole)
    })
    assert.ok(readdirSync(join(bench.server.storage, 'docker')).length > 0)
  })
})
