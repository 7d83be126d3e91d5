import { systemClock, type Bytes } from '#base'
import {
  canonicalReference,
  digestOf,
  familiarReference,
  formatIndex,
  hexOf,
  MEDIA_TYPES,
  parseReference,
  repositoryOf,
  type Reference,
} from '#oci'
import { createRegistries, type Registry } from '#registry'
import { createTransfer, type TransferProgress } from '#transfer'
import { makeImage, offerImage, tarOf, type MadeImage } from '#test/made-image'
import { ownMountNamespace } from '#test/mount-namespace'
import { addLayer, allDigests, assertBlobs, filesOf, scene, twoLayers } from '#test/transfer-scene'
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

ownMountNamespace()

for (const [family, form] of [
  ['oci', 'gzip'],
  ['oci', 'zstd'],
  ['oci', 'plain'],
  ['docker', 'gzip'],
] as const) {
  test(`an image of ${family} with ${form} layers is pulled, pushed elsewhere and pulled again with one digest`, async () => {
    await scene(async ({ folder, registry, open, name }) => {
      const image = await twoLayers(form, family)
      await offerImage(registry, name('a/b:1'), image)
      const store = await open('one')
      const lines: TransferProgress[] = []
      const pulled = await store.transfer.pull(name('a/b:1'), { progress: (line) => lines.push(line) })
      assert.equal(pulled.id, image.manifest.config.digest)
      assert.deepEqual(pulled.manifests, [image.descriptor])
      assert.deepEqual(Object.keys(await filesOf(store, name('a/b:1'))), ['big', 'etc/one', 'two'])
      assertBlobs(folder.join('one'), allDigests(image))
      assert.deepEqual(
        store.seen.map(({ action, actor }) => `${action} ${actor.id}`),
        [`pull ${familiarReference(name('a/b:1'))}`],
      )
      assertDockerLines(lines, image, name('a/b:1'))
      await store.images.tag(name('c:2'), pulled.id)
      const pushed = await store.transfer.push(name('c:2'))
      assert.deepEqual(pushed, image.descriptor)
      const other = await open('two')
      const again = await other.transfer.pull(name('c:2'))
      assert.equal(again.id, pulled.id)
      assert.deepEqual(again.manifests, [image.descriptor])
    })
  })
}

function assertDockerLines(lines: readonly TransferProgress[], image: MadeImage, name: Reference): void {
  const texts = lines.map(({ id, status }) => (id === undefined ? status : `${id}: ${status}`))
  assert.equal(texts[0], `${name.tag}: Pulling from ${name.path}`)
  for (const { digest } of image.manifest.layers) {
    const id = hexOf(digest).slice(0, 12)
    const mine = [...new Set(texts.filter((line) => line.startsWith(id)))]
    const wanted = [
      'Pulling fs layer',
      'Downloading',
      'Verifying Checksum',
      'Download complete',
      'Extracting',
      'Pull complete',
    ]
    assert.deepEqual(
      mine,
      wanted.map((status) => `${id}: ${status}`),
    )
  }
  assert.deepEqual(texts.slice(-2), [
    `Digest: ${image.descriptor.digest}`,
    `Status: Downloaded newer image for ${familiarReference(name)}`,
  ])
}

test('a second pull fetches nothing; a shared base is fetched once and said to be there', async () => {
  await scene(async ({ registry, open, name }) => {
    const base = await tarOf({ base: 'base' })
    const first = makeImage([base, await tarOf({ one: '1' })])
    const second = makeImage([base, await tarOf({ two: '2' })])
    await offerImage(registry, name('first'), first)
    await offerImage(registry, name('second'), second)
    const fetched: string[] = []
    const store = await open('one', (inner) => ({
      ...inner,
      blob(repository, blob, from, signal) {
        fetched.push(blob.digest)
        return inner.blob(repository, blob, from, signal)
      },
    }))
    await Promise.all([store.transfer.pull(name('first')), store.transfer.pull(name('second'))])
    assert.deepEqual(fetched.toSorted(), [...new Set([...first.blobs.keys(), ...second.blobs.keys()])].toSorted())
    const lines: string[] = []
    await store.transfer.pull(name('second'), { progress: ({ status }) => lines.push(status) })
    assert.equal(lines.at(-1), `Status: Image is up to date for ${familiarReference(name('second'))}`)
    assert.equal(fetched.length, 5)
    const third = makeImage([base, await tarOf({ three: '3' })])
    await offerImage(registry, name('third'), third)
    lines.length = 0
    await store.transfer.pull(name('third'), { progress: ({ status }) => lines.push(status) })
    assert.ok(lines.includes('Already exists'))
    assert.equal(fetched.length, 7)
  })
})

/** Hands out at most `count` bytes of each blob, then fails as a cut connection does. */
function cutting(inner: Registry, count: number, offsets: number[]): Registry {
  return {
    ...inner,
    async *blob(repository, blob, from = 0, signal): Bytes {
      offsets.push(from)
      let left = count
      for await (const chunk of inner.blob(repository, blob, from, signal)) {
        if (chunk.length > left) {
          yield chunk.subarray(0, left)
          break
        }
        left -= chunk.length
        yield chunk
      }
      if (left < blob.size - from) throw await cutError(inner)
    },
  }
}

/** The very error of a connection that is not there. */
async function cutError(registry: Registry): Promise<unknown> {
  await using registries = createRegistries({ mirrors: ['http://127.0.0.1:1'], insecure: [] }, systemClock())
  const [nobody] = registries.registryFor(parseReference('x'))
  assert.ok(nobody && registry)
  return nobody.tags('x').then(
    () => undefined,
    (error: unknown) => error,
  )
}

test('a download that is cut again and again goes on from the bytes that came', async () => {
  await scene(async ({ registry, open, name }) => {
    const noise = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 251))
    const image = makeImage([await tarOf({ noise })], { form: 'plain' })
    await offerImage(registry, name('x'), image)
    const offsets: number[] = []
    const store = await open('one', (inner) => cutting(inner, 100_000, offsets))
    const pulled = await store.transfer.pull(name('x'))
    assert.equal(pulled.id, image.manifest.config.digest)
    assert.deepEqual(
      offsets.filter((offset) => offset > 0),
      [100_000, 200_000, 300_000],
    )
  })
})

test('a pull that was cancelled is continued by the next one, after a restart too', async () => {
  await scene(async ({ folder, registry, open, name }) => {
    const image = makeImage([await tarOf({ noise: Buffer.alloc(3_000_000, 'noise') })], { form: 'plain' })
    await offerImage(registry, name('x'), image)
    const controller = new AbortController()
    {
      const store = await open('one', (inner) => ({
        ...inner,
        async *blob(repository, blob, from = 0, signal): Bytes {
          let count = 0
          for await (const chunk of inner.blob(repository, blob, from, signal)) {
            yield chunk
            count += chunk.length
            if (count > 1_000_000) controller.abort()
          }
        },
      }))
      await assert.rejects(store.transfer.pull(name('x'), { signal: controller.signal }), { kind: 'cancelled' })
      assert.deepEqual(await store.images.list(), [])
      await store.gc.collect()
      await store[Symbol.asyncDispose]()
    }
    assert.equal(readdirSync(folder.join('one/content/ingest')).length, 1)
    const offsets: number[] = []
    const store = await open('one', (inner) => cutting(inner, Number.POSITIVE_INFINITY, offsets))
    await store.transfer.pull(name('x'))
    assert.ok(
      offsets.some((offset) => offset > 1_000_000),
      offsets.join(),
    )
    assertBlobs(folder.join('one'), allDigests(image))
  })
})

test('bytes left by an earlier try that are wrong are fetched anew', async () => {
  await scene(async ({ folder, registry, open, name }) => {
    const image = makeImage([await tarOf({ noise: Buffer.alloc(500_000, 'noise') })], { form: 'plain' })
    await offerImage(registry, name('x'), image)
    const [layer] = image.manifest.layers
    assert.ok(layer)
    const store = await open('one')
    {
      await using lease = await store.leases.open('test')
      await using ingest = await store.content.begin(`blob ${layer.digest}`, lease)
      await ingest.write(Buffer.alloc(1000, 'wrong'))
    }
    await store.transfer.pull(name('x'))
    assertBlobs(folder.join('one'), allDigests(image))
  })
})

test('an altered blob is refused: corrupt, no image, and nothing left of it', async () => {
  await scene(async ({ folder, server, registry, open, name }) => {
    const image = await twoLayers()
    await offerImage(registry, name('x'), image)
    const hex = hexOf(image.manifest.layers[0]?.digest ?? image.descriptor.digest)
    const path = join(server.storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data')
    const bytes = readFileSync(path)
    bytes[100] = (bytes[100] ?? 0) ^ 1
    writeFileSync(path, bytes)
    const store = await open('one')
    await assert.rejects(store.transfer.pull(name('x')), { kind: 'corrupt' })
    assert.deepEqual(await store.images.list(), [])
    await store.content.discardInterrupted()
    await store.gc.collect()
    await store.snapshots.settle()
    assertBlobs(folder.join('one'), [])
    assert.deepEqual(store.leases.held(), [])
    assert.deepEqual(
      readdirSync(folder.join('one/snapshots')).filter((entry) => /^\d/.test(entry)),
      [],
    )
  })
})

test('of an index the image for the platform wanted is pulled', async () => {
  await scene(async ({ registry, open, name }) => {
    const tar = await tarOf({ a: 'a' })
    const native = makeImage([tar], { labels: { for: 'host' } })
    const foreign = makeImage([tar], { platform: { os: 'linux', architecture: 's390x' }, labels: { for: 's390x' } })
    await offerImage(registry, name('x:native'), native)
    await offerImage(registry, name('x:foreign'), foreign)
    const index = formatIndex({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [
        { ...foreign.descriptor, platform: { os: 'linux', architecture: 's390x' } },
        { ...native.descriptor, platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : 'arm64' } },
      ],
    })
    await registry.putManifest(name('x:all'), MEDIA_TYPES.ociIndex, index)
    const store = await open('one')
    const mine = await store.transfer.pull(name('x:all'))
    assert.equal(mine.id, native.manifest.config.digest)
    assert.ok(mine.names.some((one) => one.digest === digestOf(index)))
    const other = await store.transfer.pull(name('x:all'), { platform: { os: 'linux', architecture: 's390x' } })
    assert.equal(other.id, foreign.manifest.config.digest)
    await assert.rejects(store.transfer.pull(name('x:all'), { platform: { os: 'linux', architecture: 'mips64le' } }), {
      kind: 'not-found',
      message: 'no matching manifest for linux/mips64le in the manifest list entries',
    })
    const byDigest = parseReference(`${canonicalReference(repositoryOf(name('x')))}@${native.descriptor.digest}`)
    assert.equal((await store.transfer.pull(byDigest)).id, native.manifest.config.digest)
  })
})

test('a push says what was there, what was mounted and what went out', async () => {
  await scene(async ({ registry, open, name }) => {
    const image = await twoLayers()
    await offerImage(registry, name('a'), image)
    const store = await open('one')
    const { id } = await store.transfer.pull(name('a'))
    const push = async (to: Reference): Promise<readonly string[]> => {
      const lines: TransferProgress[] = []
      await store.images.tag(to, id)
      await store.transfer.push(to, { progress: (line) => lines.push(line) })
      return [...new Set(lines.map(({ status }) => status))]
    }
    const last = `digest: ${image.descriptor.digest} size: ${image.descriptor.size}`
    assert.deepEqual(await push(name('a:2')), [
      `The push refers to repository [${name('a').domain}/a]`,
      'Preparing',
      'Layer already exists',
      `2: ${last}`,
    ])
    const mounted = await push(name('b:1'))
    assert.ok(mounted.includes('Mounted from a') && !mounted.includes('Pushed'), mounted.join())
    assert.ok((await store.images.open(id)).names.some(({ path, digest }) => path === 'b' && digest !== undefined))
    await assert.rejects(store.transfer.push(name('nope')), {
      kind: 'not-found',
      message: `An image does not exist locally with the tag: ${name('nope').domain}/nope`,
    })
  })
})

test('a layer made here is packed when it is pushed, and comes back the same', async () => {
  await scene(async ({ registry, open, name }) => {
    const image = await twoLayers()
    await offerImage(registry, name('a'), image)
    const store = await open('one')
    const base = await store.transfer.pull(name('a'))
    const made = await addLayer(store, base.id, 'made here')
    await store.images.tag(name('b'), made)
    const first = await store.transfer.push(name('b'))
    assert.deepEqual(await store.transfer.push(name('b')), first)
    const other = await open('two')
    const pulled = await other.transfer.pull(name('b'))
    assert.equal(pulled.id, made)
    assert.deepEqual(Object.keys(await filesOf(other, name('b'))), ['big', 'etc/one', 'two', 'made'])
  })
})

test('a mirror stands in for docker.io, and all tags of a repository come and go', async () => {
  await scene(async ({ server, registry, open, name }) => {
    const first = await twoLayers()
    const second = makeImage([await tarOf({ other: 'x' })])
    await offerImage(registry, { ...name('library/app'), tag: '1' }, first)
    await offerImage(registry, { ...name('library/app'), tag: '2' }, second)
    await using registries = createRegistries(
      { mirrors: ['http://127.0.0.1:1', server.base], insecure: [] },
      systemClock(),
    )
    const store = await open('one')
    const transfer = createTransfer({ ...store, registryFor: registries.registryFor })
    const pulled = await transfer.pull(parseReference('app:1'))
    assert.deepEqual(pulled.names.map(familiarReference), ['app:1', `app@${first.descriptor.digest}`])
    assert.equal((await store.transfer.pullAll(name('library/app'))).length, 2)
    await store.images.tag(name('copy:a'), pulled.id)
    await store.images.tag(name('copy:b'), (await store.images.resolve(familiarReference(name('library/app:2')))).id)
    const sent = await store.transfer.pushAll(name('copy'))
    assert.deepEqual(
      sent.map(({ digest }) => digest),
      [first.descriptor.digest, second.descriptor.digest],
    )
    assert.deepEqual((await registry.tags('copy')).toSorted(), ['a', 'b'])
  })
})
