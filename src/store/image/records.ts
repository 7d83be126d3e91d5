import type { Clock } from '#base'
import {
  canonicalReference,
  parseChainId,
  parseDigest,
  parseImageId,
  parseNamed,
  type ChainId,
  type Descriptor,
  type Digest,
  type ImageId,
  type Reference,
} from '#oci'
import { readBigInt, readNumber, readOptionalText, readText, type Database, type Row } from '#store/db'
import type { ImageRecord } from './types.ts'

/** The four tables of this room; all calls are synchronous and may stand in a transaction. */
export interface ImageRecords {
  find(id: ImageId): ImageRecord | undefined
  list(): readonly ImageRecord[]
  ids(): readonly ImageId[]
  /** Ids that begin with these hex digits, at most two. */
  idsWithPrefix(hex: string): readonly ImageId[]
  idOfName(name: Reference): ImageId | undefined
  idOfManifest(digest: Digest): ImageId | undefined
  chainOf(id: ImageId): ChainId | undefined
  /** Blobs of its manifests, and the manifests themselves. */
  blobsOf(id: ImageId): readonly Digest[]
  /** `chainOf` and `blobsOf` of all images. */
  holdings(): ReadonlyMap<string, { readonly chain: string | undefined; readonly blobs: readonly string[] }>
  add(image: { readonly id: ImageId; readonly chain: ChainId | undefined; readonly parent: ImageId | undefined }): void
  addManifest(id: ImageId, manifest: Descriptor, blobs: readonly Digest[]): void
  removeManifest(id: ImageId, manifest: Digest): void
  setName(name: Reference, id: ImageId): void
  removeName(name: Reference): void
  remove(id: ImageId): void
}

/**
 * The list is read anew only after a change that was made through this very object; it must not be asked for inside a
 * transaction, whose rollback would not be seen.
 */
export function imageRecords(database: Database, clock: Clock): ImageRecords {
  let list: readonly ImageRecord[] | undefined
  const queries = imageQueries(database)
  const run: Database['run'] = (sql, ...values) => {
    list = undefined
    return database.run(sql, ...values)
  }
  return { ...queries, ...imageChanges({ run }, clock), list: () => (list ??= queries.list()) }
}

type Queries = Pick<
  ImageRecords,
  'find' | 'list' | 'ids' | 'idsWithPrefix' | 'idOfName' | 'idOfManifest' | 'chainOf' | 'blobsOf' | 'holdings'
>

function imageQueries(database: Database): Queries {
  const idIn = (row: Row | undefined, column: string): ImageId | undefined => row && parseImageId(readText(row, column))
  return {
    find(id) {
      const row = database.get('SELECT * FROM image WHERE id = ?', id)
      if (!row) return undefined
      const names = database.all('SELECT * FROM image_name WHERE image = ? ORDER BY name', id)
      return recordOf(row, names, database.all(`SELECT * FROM image_manifest WHERE image = ? ${NEWEST}`, id))
    },
    list() {
      const names = groupByImage(database.all('SELECT * FROM image_name ORDER BY name'))
      const manifests = groupByImage(database.all(`SELECT * FROM image_manifest ${NEWEST}`))
      const rows = database.all('SELECT * FROM image ORDER BY created_at DESC, id')
      return rows.map((row) => {
        const id = readText(row, 'id')
        return recordOf(row, names.get(id) ?? [], manifests.get(id) ?? [])
      })
    },
    ids: () => database.all('SELECT id FROM image').map((row) => parseImageId(readText(row, 'id'))),
    idsWithPrefix: (hex) =>
      database
        .all('SELECT id FROM image WHERE id >= ?1 AND id < ?2 LIMIT 2', `sha256:${hex}`, `sha256:${hex}g`)
        .map((row) => parseImageId(readText(row, 'id'))),
    idOfName: (name) =>
      idIn(database.get('SELECT image FROM image_name WHERE name = ?', canonicalReference(name)), 'image'),
    idOfManifest: (digest) =>
      idIn(database.get('SELECT image FROM image_manifest WHERE digest = ? ORDER BY known_at', digest), 'image'),
    chainOf(id) {
      const row = database.get('SELECT chain FROM image WHERE id = ?', id)
      const chain = row && readOptionalText(row, 'chain')
      return chain === undefined ? undefined : parseChainId(chain)
    },
    holdings() {
      const rows = database.all('SELECT image, digest FROM image_blob UNION SELECT image, digest FROM image_manifest')
      const blobs = groupByImage(rows)
      const images = database.all('SELECT id, chain FROM image')
      return new Map(
        images.map((row) => {
          const id = readText(row, 'id')
          const own = (blobs.get(id) ?? []).map((blob) => readText(blob, 'digest'))
          return [id, { chain: readOptionalText(row, 'chain'), blobs: own }]
        }),
      )
    },
    blobsOf: (id) =>
      database
        .all(
          'SELECT digest FROM image_blob WHERE image = ?1 UNION SELECT digest FROM image_manifest WHERE image = ?1',
          id,
        )
        .map((row) => parseDigest(readText(row, 'digest'))),
  }
}

const NEWEST = 'ORDER BY known_at DESC, digest'

function imageChanges(database: Pick<Database, 'run'>, clock: Clock): Omit<ImageRecords, keyof Queries> {
  return {
    add: ({ id, chain, parent }) =>
      void database.run(
        `INSERT INTO image (id, chain, parent, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET parent = ?3 WHERE parent IS NULL AND ?3 IS NOT NULL`,
        id,
        chain ?? null,
        parent ?? null,
        clock.nanoseconds(),
      ),
    addManifest(id, { digest, mediaType, size }, blobs) {
      database.run(
        `INSERT INTO image_manifest (image, digest, media_type, size, known_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (image, digest) DO UPDATE SET known_at = ?5`,
        id,
        digest,
        mediaType,
        size,
        clock.nanoseconds(),
      )
      for (const blob of blobs) database.run('INSERT OR IGNORE INTO image_blob (image, digest) VALUES (?, ?)', id, blob)
    },
    removeManifest: (id, manifest) =>
      void database.run('DELETE FROM image_manifest WHERE image = ? AND digest = ?', id, manifest),
    setName: (name, id) =>
      void database.run(
        `INSERT INTO image_name (name, image, tagged_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET image = ?2, tagged_at = ?3`,
        canonicalReference(name),
        id,
        clock.nanoseconds(),
      ),
    removeName: (name) => void database.run('DELETE FROM image_name WHERE name = ?', canonicalReference(name)),
    remove: (id) => void database.run('DELETE FROM image WHERE id = ?', id),
  }
}

function groupByImage(rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> {
  return Map.groupBy(rows, (row) => readText(row, 'image'))
}

function recordOf(row: Row, names: readonly Row[], manifests: readonly Row[]): ImageRecord {
  const chain = readOptionalText(row, 'chain')
  const parent = readOptionalText(row, 'parent')
  const tagged = names.map((name) => readBigInt(name, 'tagged_at'))
  return {
    id: parseImageId(readText(row, 'id')),
    createdAt: readBigInt(row, 'created_at'),
    names: names.map((name) => parseNamed(readText(name, 'name'))),
    manifests: manifests.map(manifestOf),
    ...(chain !== undefined && { chain: parseChainId(chain) }),
    ...(parent !== undefined && { parent: parseImageId(parent) }),
    ...(tagged.length > 0 && { taggedAt: tagged.reduce((newest, time) => (time > newest ? time : newest)) }),
  }
}

function manifestOf(row: Row): Descriptor {
  return {
    mediaType: readText(row, 'media_type'),
    digest: parseDigest(readText(row, 'digest')),
    size: readNumber(row, 'size'),
  }
}
