import { writeTar } from '#archive'
import { collect, systemClock } from '#base'
import {
  familiarReference,
  formatImageConfig,
  hexOf,
  parseReference,
  type Digest,
  type ImageId,
  type Reference,
} from '#oci'
import { createRegistries, type Registries, type Registry } from '#registry'
import { createTransfer, type Transfer } from '#transfer'
import { filesBelow, watchLeftovers, type Leftovers } from '#test/leftovers'
import { makeImage, tarOf, type MadeImage } from '#test/made-image'
import { startRegistry, type TestRegistry } from '#test/registry'
import { openTestStore, type TestStore } from '#test/store'
import { temporary, type Temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const LIMITS = { downloads: 3, uploads: 5, attempts: 3, delay: 1 }

export interface TransferStore extends TestStore {
  readonly transfer: Transfer
}

export interface Scene {
  readonly folder: Temporary
  readonly server: TestRegistry
  readonly registry: Registry
  readonly registries: Registries
  /** A store of that name, opened or made; `change` stands between it and the registry. */
  readonly open: (name: string, change?: (registry: Registry) => Registry) => Promise<TransferStore>
  /** A name in the registry. */
  readonly name: (text: string) => Reference
}

/** A registry and as many stores as the test wants; at the end nothing is left but files, which the folder takes along. */
export async function scene(work: (scene: Scene) => Promise<void>): Promise<void> {
  using folder = temporary()
  const leftovers: Leftovers = watchLeftovers(folder.path)
  {
    await using stack = new AsyncDisposableStack()
    const server = stack.use(await startRegistry(folder.path))
    const patience = { attempts: 2, delay: 1, longest: 10 }
    const config = { mirrors: [], insecure: [], patience }
    const registries = stack.use(createRegistries(config, systemClock()))
    const name = (text: string): Reference => parseReference(`${server.host}/${text}`)
    const [registry] = registries.registryFor(name('x'))
    assert.ok(registry)
    await work({
      folder,
      server,
      registry,
      registries,
      name,
      async open(at, change = (same) => same) {
        const store = stack.use(await openTestStore(folder.join(at)))
        const registryFor: Registries['registryFor'] = (...of) => registries.registryFor(...of).map(change)
        return { ...store, transfer: createTransfer({ ...store, registryFor, limits: LIMITS }) }
      },
    })
  }
  await leftovers.assertNothingLeft()
}

/** Two small layers, one of them a little larger. */
export const twoLayers = async (form: 'plain' | 'gzip' | 'zstd' = 'gzip', family: 'oci' | 'docker' = 'oci') =>
  makeImage([await tarOf({ 'etc/one': 'one', big: 'x'.repeat(400_000) }), await tarOf({ two: 'two' })], {
    form,
    family,
  })

/** The image's files as its topmost snapshot shows them. */
export async function filesOf(store: TestStore, name: Reference): Promise<Readonly<Record<string, string>>> {
  const { chain } = await store.images.resolve(familiarReference(name))
  assert.ok(chain)
  const sealed = await store.snapshots.find(chain)
  assert.ok(sealed)
  const files: Record<string, string> = {}
  for (const lower of (await store.snapshots.lowers(sealed.id)).toReversed()) {
    for (const path of filesBelow(lower)) {
      if (statSync(join(lower, path)).isFile()) files[path] = readFileSync(join(lower, path), 'utf8').slice(0, 10)
    }
  }
  return files
}

/** Asserts that the store holds these blobs and no half-written ones. */
export function assertBlobs(folder: string, digests: Iterable<Digest>): void {
  assert.deepEqual(readdirSync(join(folder, 'content/blobs/sha256')).toSorted(), [...digests].map(hexOf).toSorted())
  assert.deepEqual(readdirSync(join(folder, 'content/ingest')), [])
}

/** Config, layers and manifest. */
export function allDigests(image: MadeImage): readonly Digest[] {
  return [...image.blobs.keys(), image.descriptor.digest]
}

/** What a commit does: one file more on top. */
export async function addLayer(store: TestStore, base: ImageId, text: string, key = 'work'): Promise<ImageId> {
  const { config, chain } = await store.images.open(base)
  assert.ok(chain)
  await using lease = await store.leases.open('test')
  const parent = await store.snapshots.find(chain)
  assert.ok(parent)
  const active = await store.snapshots.prepare(key, parent.id, lease)
  writeFileSync(join(active.upper, 'made'), text)
  const frozen = await active.freeze()
  const layer = await store.layers.diff(frozen, lease)
  await store.layers.adopt(frozen, chain, layer)
  const bytes = formatImageConfig({
    ...config,
    rootfs: { type: 'layers', diff_ids: [...config.rootfs.diff_ids, layer.diffId] },
    history: [...config.history, { created_by: 'made' }],
  })
  return (await store.images.create(bytes, { parent: base }, lease)).id
}

/** As Docker before 25 wrote it: a folder for each layer, a link for one that occurs twice. */
export async function dockerArchive(image: MadeImage, tags: readonly string[]): Promise<Buffer> {
  const config = `${hexOf(image.manifest.config.digest)}.json`
  const layers = image.manifest.layers.map((_, index) => `layer${index}/layer.tar`)
  const manifest = Buffer.from(JSON.stringify([{ Config: config, RepoTags: tags, Layers: layers }]))
  return collect(
    writeTar([
      { kind: 'file', path: config, body: image.config },
      ...image.manifest.layers.flatMap(({ digest }, index) => [
        { kind: 'directory' as const, path: `layer${index}/` },
        { kind: 'file' as const, path: `layer${index}/VERSION`, body: Buffer.from('1.0') },
        { kind: 'file' as const, path: `layer${index}/json`, body: Buffer.from('{}') },
        image.manifest.layers.findIndex((layer) => layer.digest === digest) < index
          ? {
              kind: 'symlink' as const,
              path: `layer${index}/layer.tar`,
              link: `../layer${image.manifest.layers.findIndex((layer) => layer.digest === digest)}/layer.tar`,
            }
          : { kind: 'file' as const, path: `layer${index}/layer.tar`, body: image.blobs.get(digest) ?? Buffer.of() },
      ]),
      { kind: 'file', path: 'manifest.json', body: manifest },
    ]),
  )
}
