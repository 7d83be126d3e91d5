import { writeTar, type TarSource } from '#archive'
import { bytesOf, collect } from '#base'
import { attachMount, unmountSync } from '#kernel'
import { hexOf, parseReference } from '#oci'
import { makeImage, offerImage, tarOf, type MadeImage } from '#test/made-image'
import { ownMountNamespace } from '#test/mount-namespace'
import { dockerArchive, filesOf, scene, type TransferStore } from '#test/transfer-scene'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

ownMountNamespace()

const LARGE = 2 << 20

/** An archive as Docker writes it today, its layers topmost first. */
async function archiveOf(image: MadeImage, tag: string): Promise<Buffer> {
  const path = (digest: string): string => `blobs/sha256/${digest.slice('sha256:'.length)}`
  const layers = image.manifest.layers.map(({ digest }) => digest)
  const entry = { Config: path(image.manifest.config.digest), RepoTags: [tag], Layers: layers.map(path) }
  return collect(
    writeTar([
      ...layers.toReversed().map((digest): TarSource => ({
        kind: 'file',
        path: path(digest),
        body: Buffer.from(image.blobs.get(digest) ?? ''),
      })),
      { kind: 'file', path: entry.Config, body: image.config },
      { kind: 'file', path: 'manifest.json', body: Buffer.from(JSON.stringify([entry])) },
    ]),
  )
}

/** Parents have smaller ids than their children; nothing is there that is not sealed. */
async function assertStacked(store: TransferStore, layers: number): Promise<void> {
  const all = await store.snapshots.list()
  assert.deepEqual(new Set(all.map(({ kind }) => kind)), new Set(layers === 0 ? [] : ['frozen']))
  assert.equal(all.length, layers)
  for (const { id, parent, chain } of all) {
    assert.ok(chain)
    if (parent !== undefined) assert.ok(Number(parent) < Number(id))
  }
}

test('layers that come topmost first end on their parents, and the root is the one that is described', async () => {
  await scene(async ({ open }) => {
    const root = (mode: number): TarSource => ({ kind: 'directory', path: './', mode, uid: 5, gid: 6 })
    const body = randomBytes(LARGE)
    const image = makeImage(
      [
        await collect(writeTar([root(0o711), { kind: 'file', path: 'low', body }])),
        await tarOf({ middle: randomBytes(LARGE) }),
        await collect(writeTar([root(0o750), { kind: 'file', path: 'top', body: randomBytes(LARGE) }])),
      ],
      { form: 'plain' },
    )
    const store = await open('one')
    await store.transfer.load(bytesOf(await archiveOf(image, 'app:1')))
    assert.deepEqual(Object.keys(await filesOf(store, parseReference('app:1'))), ['low', 'middle', 'top'])
    await assertStacked(store, 3)
    const { chain } = await store.images.resolve('app:1')
    const sealed = chain && (await store.snapshots.find(chain))
    assert.ok(sealed)
    const modes = (await store.snapshots.lowers(sealed.id)).map((path) => (statSync(path).mode & 0o777).toString(8))
    assert.deepEqual(modes, ['750', '711', '711'])
    const [again] = await store.transfer.load(bytesOf(await archiveOf(image, 'app:1')))
    assert.equal(again?.replaced, undefined)
    await assertStacked(store, 3)
  })
})

test('a file whose folder is a link of the layer below goes where the link leads', async () => {
  await scene(async ({ registry, open, name }) => {
    const base = await collect(
      writeTar([
        { kind: 'directory', path: 'usr/', mode: 0o755 },
        { kind: 'directory', path: 'usr/lib/', mode: 0o2750, uid: 7, gid: 8 },
        { kind: 'symlink', path: 'lib', link: 'usr/lib' },
      ]),
    )
    const image = makeImage([base, await tarOf({ 'lib/x': 'x', 'usr/lib/y': 'y' })])
    await offerImage(registry, name('linked'), image)
    const store = await open('one')
    await store.transfer.pull(name('linked'))
    const { chain } = await store.images.resolve(`${name('linked').domain}/linked`)
    const sealed = chain && (await store.snapshots.find(chain))
    assert.ok(sealed)
    assert.equal(readFileSync(join(sealed.upper, 'usr/lib/x'), 'utf8'), 'x')
    assert.equal(existsSync(join(sealed.upper, 'lib')), false)
    const { mode, uid, gid } = statSync(join(sealed.upper, 'usr/lib'))
    assert.deepEqual([(mode & 0o7777).toString(8), uid, gid], ['2750', 7, 8])
    await assertStacked(store, 2)
  })
})

test('two pulls and a load of one image at once: no blob is fetched twice, and all end with the same image', async () => {
  await scene(async ({ registry, open, name }) => {
    const tars = [await tarOf({ one: randomBytes(LARGE) }), await tarOf({ two: randomBytes(LARGE) })]
    const image = makeImage(tars)
    await offerImage(registry, name('x'), image)
    await offerImage(registry, name('y'), image)
    const fetched: string[] = []
    const store = await open('one', (inner) => ({
      ...inner,
      blob(repository, blob, from, signal) {
        fetched.push(blob.digest)
        return inner.blob(repository, blob, from, signal)
      },
    }))
    const archive = await archiveOf(makeImage(tars, { form: 'plain' }), 'loaded:1')
    const [first, second, [loaded]] = await Promise.all([
      store.transfer.pull(name('x')),
      store.transfer.pull(name('y')),
      store.transfer.load(bytesOf(archive)),
    ])
    assert.equal(first.id, second.id)
    assert.equal(loaded?.image.id, first.id)
    // none twice; what the archive brought first need not be fetched at all
    assert.deepEqual(
      fetched.toSorted(),
      [...image.blobs.keys()].filter((digest) => fetched.includes(digest)).toSorted(),
    )
    await store.gc.collect()
    await assertStacked(store, 2)
  })
})

test('bytes that are altered on their way leave no tree, though they were unpacked while they came', async () => {
  await scene(async ({ folder, registry, open, name }) => {
    const image = makeImage([await tarOf({ one: randomBytes(LARGE) }), await tarOf({ two: randomBytes(LARGE) })])
    await offerImage(registry, name('x'), image)
    const last = image.manifest.layers[1]?.digest
    const store = await open('one', (inner) => ({
      ...inner,
      async *blob(repository, blob, from, signal) {
        let count = 0
        for await (const chunk of inner.blob(repository, blob, from, signal)) {
          count += chunk.length
          const bytes = Buffer.from(chunk)
          // the last byte of gzip's own length: nobody who unpacks looks at it before the end
          if (blob.digest === last && count === blob.size)
            bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
          yield bytes
        }
      },
    }))
    await assert.rejects(store.transfer.pull(name('x')), { kind: 'corrupt' })
    assert.deepEqual(await store.images.list(), [])
    await store.gc.collect()
    await store.snapshots.settle()
    await assertStacked(store, 0)
    const left = readdirSync(folder.join('one/snapshots')).filter((entry) => /^\d+$/.test(entry))
    assert.deepEqual(left, [])
  })
})

for (const full of ['content', 'snapshots']) {
  test(`a disk that is full under ${full} ends a pull with a sentence, and nothing half-made is left`, async () => {
    await scene(async ({ folder, registry, open, name }) => {
      const image = makeImage([await tarOf({ small: 'x' }), await tarOf({ large: randomBytes(8 << 20) })])
      await offerImage(registry, name('x'), image)
      const target = folder.join(`one/${full}`)
      mkdirSync(target, { recursive: true })
      attachMount({ type: 'tmpfs', source: 'tmpfs', options: ['size=4m'] }, target)
      try {
        const store = await open('one')
        await assert.rejects(store.transfer.pull(name('x')), /no space left/i)
        assert.deepEqual(await store.images.list(), [])
        await store.content.discardInterrupted()
        await store.gc.collect()
        await store.snapshots.settle()
        await assertStacked(store, 0)
        assert.deepEqual(await store.content.list(), [])
        await store[Symbol.asyncDispose]()
      } finally {
        unmountSync(target, { detach: true })
      }
    })
  })
}

test('load tells whose name it takes, and passes over images for another platform', async () => {
  await scene(async ({ open }) => {
    const tar = await tarOf({ file: 'content' })
    const [one, two] = ['one', 'two'].map((label) => makeImage([tar], { form: 'plain', labels: { label } }))
    assert.ok(one && two)
    const store = await open('one')
    const [first] = await store.transfer.load(bytesOf(await dockerArchive(one, ['app:1'])))
    const [second] = await store.transfer.load(bytesOf(await dockerArchive(two, ['app:1'])))
    assert.equal(first?.replaced, undefined)
    assert.equal(second?.replaced, `sha256:${hexOf(one.manifest.config.digest)}`)
    const platform = { os: 'linux', architecture: 's390x' }
    const foreign = makeImage([tar], { form: 'plain', platform })
    const archive = await dockerArchive(foreign, ['foreign:1'])
    const other = { os: 'linux', architecture: 'riscv64' }
    assert.deepEqual(await store.transfer.load(bytesOf(archive), { platform: other }), [])
    assert.equal((await store.transfer.load(bytesOf(archive), { platform })).length, 1)
  })
})

test('all tags of a repository are told one by one, and how it ended once', async () => {
  await scene(async ({ registry, open, name }) => {
    const image = makeImage([await tarOf({ file: 'content' })])
    for (const tag of ['a', 'b']) await offerImage(registry, name(`all:${tag}`), image)
    const store = await open('one')
    const pullAll = async (): Promise<readonly string[]> => {
      const lines: string[] = []
      const progress = (line: { readonly id?: string; readonly status: string }): void => {
        if (/^(?:Pulling from|Digest|Status)/.test(line.status))
          lines.push(line.id === undefined ? line.status : `${line.id}: ${line.status}`)
      }
      await store.transfer.pullAll(name('all'), { progress })
      return lines
    }
    const { domain } = name('all')
    const { digest } = image.descriptor
    // the registry lists them in any order
    const each = (await registry.tags('all')).flatMap((tag) => [`${tag}: Pulling from all`, `Digest: ${digest}`])
    assert.deepEqual(await pullAll(), [...each, `Status: Downloaded newer image for ${domain}/all`])
    assert.deepEqual(await pullAll(), [...each, `Status: Image is up to date for ${domain}/all`])
  })
})
