import { readTar, writeTar } from '#archive'
import { bytesOf, collect } from '#base'
import { digestOf, familiarReference, hexOf, imageIdOf, parseReference, type Digest } from '#oci'
import { runProgram } from '#test/docker'
import { makeImage, offerImage, tarOf, type MadeImage } from '#test/made-image'
import { ownMountNamespace } from '#test/mount-namespace'
import { addLayer, assertBlobs, dockerArchive, filesOf, scene, twoLayers } from '#test/transfer-scene'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'

ownMountNamespace()

test('save and load bring images over whole: ids, names, manifests; the archive is the same each time', async () => {
  await scene(async ({ folder, registry, open, name }) => {
    const image = await twoLayers()
    await offerImage(registry, name('a'), image)
    const store = await open('one')
    const base = await store.transfer.pull(name('a'))
    const made = await addLayer(store, base.id, 'made here')
    await store.images.tag(parseReference('made:1'), made)
    await store.images.tag(parseReference('made:2'), made)
    const names = [familiarReference(name('a')), 'made']
    const archive = await collect(store.transfer.save(names))
    assert.deepEqual(await collect(store.transfer.save(names)), archive)
    writeFileSync(folder.join('archive.tar'), archive)
    const listed = await runProgram('tar', ['-tf', folder.join('archive.tar')])
    assert.equal(listed.code, 0, listed.stderr)
    const other = await open('two')
    const loaded = await other.transfer.load(bytesOf(archive))
    assert.deepEqual(
      loaded.map(({ name: loadedName, image: { id } }) => `${loadedName && familiarReference(loadedName)} ${id}`),
      [`${familiarReference(name('a'))} ${base.id}`, `made:1 ${made}`, `made:2 ${made}`],
    )
    assert.deepEqual((await other.images.open(base.id)).manifests, [image.descriptor])
    assert.deepEqual(Object.keys(await filesOf(other, parseReference('made:1'))), ['big', 'etc/one', 'two', 'made'])
    await other.gc.collect()
    assert.deepEqual(await collect(other.transfer.save(names)), archive)
    assert.deepEqual(
      other.seen.map(({ action }) => action),
      ['load', 'load', 'save', 'save'],
    )
    await assert.rejects(collect(store.transfer.save(['nope'])), { kind: 'not-found', message: 'No such image: nope' })
  })
})

test('an archive that is loaded twice, or compressed, is the same image; a layer that came as a blob outlives its image', async () => {
  await scene(async ({ open }) => {
    const tar = await tarOf({ file: 'content' })
    const image = makeImage([tar], { form: 'plain' })
    const archive = await dockerArchive(image, ['app:1'])
    const store = await open('one')
    const [first] = await store.transfer.load(bytesOf(archive))
    const [second] = await store.transfer.load(bytesOf(gzipSync(archive)))
    assert.equal(first?.image.id, second?.image.id)
    const child = await addLayer(store, imageIdOf(image.config), 'child')
    await store.images.untag(parseReference('app:1'))
    await store.images.remove(imageIdOf(image.config))
    await store.gc.collect()
    await store.images.tag(parseReference('child'), child)
    const members = readTar(store.transfer.save(['child']))
    const saved = new Map<string, Buffer>()
    for await (const member of members) saved.set(member.path, await collect(member.body))
    assert.deepEqual(saved.get(`blobs/sha256/${hexOf(digestOf(tar))}`), tar)
  })
})

test('an old archive with links for layers that occur twice is loaded', async () => {
  await scene(async ({ open }) => {
    const tar = await tarOf({ file: 'content' })
    const image = makeImage([tar, await tarOf({ other: 'x' }), tar], { form: 'plain' })
    const store = await open('one')
    const [loaded] = await store.transfer.load(bytesOf(await dockerArchive(image, ['app:1'])))
    assert.equal(loaded?.image.id, image.manifest.config.digest)
    assert.deepEqual(Object.keys(await filesOf(store, parseReference('app:1'))).toSorted(), ['file', 'other'])
  })
})

test('hostile and broken archives end in an error and leave nothing', async () => {
  await scene(async ({ folder, open }) => {
    const image = makeImage([await tarOf({ file: 'content' })], { form: 'plain' })
    const good = await dockerArchive(image, ['app:1'])
    const manifest = (value: unknown) =>
      collect(writeTar([{ kind: 'file', path: 'manifest.json', body: Buffer.from(JSON.stringify(value)) }]))
    const cases: readonly (readonly [string, Buffer])[] = [
      ['nothing', Buffer.alloc(0)],
      ['no tar', Buffer.from('x')],
      ['cut', good.subarray(0, good.length - 3000)],
      ['no manifest', await tarOf({ file: 'x' })],
      ['manifest that is no list', await manifest({})],
      ['missing config', await manifest([{ Config: 'nope', RepoTags: null, Layers: [] }])],
      ['path that leaves', await manifest([{ Config: '../../etc/passwd', RepoTags: null, Layers: [] }])],
      ['member that leaves', await tarOf({ '../../../tmp/mica-escape': 'x', 'manifest.json': '[]' })],
      ['wrong blob', await tarOf({ [`blobs/sha256/${'a'.repeat(64)}`]: 'x' })],
      ['bad name', await dockerArchive(image, ['NOT A NAME'])],
      [
        'link in a circle',
        await collect(
          writeTar([
            { kind: 'symlink', path: 'a', link: 'b' },
            { kind: 'symlink', path: 'b', link: 'a' },
            { kind: 'file', path: 'manifest.json', body: Buffer.from('[{"Config":"a","Layers":[]}]') },
          ]),
        ),
      ],
      [
        'wrong diff id',
        await dockerArchive({ ...image, blobs: swapped(image, await tarOf({ other: 'x' })) }, ['app:1']),
      ],
    ]
    const store = await open('one')
    for (const [what, bytes] of cases) {
      await assert.rejects(store.transfer.load(bytesOf(bytes)), { name: 'EngineError' }, what)
    }
    assert.deepEqual(await store.images.list(), [])
    await store.gc.collect()
    await store.snapshots.settle()
    assertBlobs(folder.join('one'), [])
  })
})

function swapped(image: MadeImage, tar: Buffer): ReadonlyMap<Digest, Uint8Array> {
  return new Map([...image.blobs.keys()].map((digest) => [digest, tar]))
}

test('import makes an image of one layer, with the settings given', async () => {
  await scene(async ({ open }) => {
    const tar = await tarOf({ 'bin/sh': 'not really' })
    const store = await open('one')
    const image = await store.transfer.importRoot(bytesOf(tar), {
      name: parseReference('root:1'),
      message: 'from a test',
      changes: (config) => ({ ...config, Cmd: ['/bin/sh'] }),
    })
    assert.deepEqual(image.config.config.Cmd, ['/bin/sh'])
    assert.deepEqual(image.config.rootfs.diff_ids, [digestOf(tar)])
    assert.equal(image.config.history[0]?.comment, 'from a test')
    assert.deepEqual(Object.keys(await filesOf(store, parseReference('root:1'))), ['bin/sh'])
    await assert.rejects(store.transfer.importRoot(bytesOf('x'), {}), { kind: 'corrupt' })
  })
})
