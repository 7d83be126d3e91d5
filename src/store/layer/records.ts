import { parseChainId, parseDiffId, parseDigest } from '#oci'
import type { ChainId, Descriptor, DiffId, Digest } from '#oci'
import { type Database, type Row, readNumber, readText } from '#store/db'
import { getSnapshotId } from '#store/snapshot'
import type { LayerChanges, LayerFacts, LayerRecord } from './types.ts'

/** The tables of this room; a layer's row goes with its snapshot's. All calls are synchronous. */
export interface LayerRecords {
  find(chain: ChainId): LayerRecord | undefined
  facts(chain: ChainId): LayerFacts | undefined
  list(): readonly LayerRecord[]
  sizes(): ReadonlyMap<ChainId, number>
  /** Fine where it is there already. */
  add(record: Omit<LayerRecord, 'blobs'>): void
  blobsOf(diffId: DiffId): readonly Descriptor[]
  addBlob(diffId: DiffId, blob: Descriptor): void
  removeBlob(digest: Digest): void
  findChanges(chain: ChainId): LayerChanges | undefined
  saveChanges(chain: ChainId, changes: LayerChanges): void
}

export function layerRecords(database: Database): LayerRecords {
  const blobsOf = (diffId: string): Descriptor[] =>
    database.all('SELECT * FROM layer_blob WHERE diff_id = ? ORDER BY digest', diffId).map(blobOf)
  const layerOf = (row: Row): LayerRecord => ({
    ...factsOf(row),
    chain: parseChainId(readText(row, 'chain')),
    snapshot: getSnapshotId(String(readNumber(row, 'snapshot'))),
    ...(row['rules'] === null ? {} : { rules: readNumber(row, 'rules') }),
    blobs: blobsOf(readText(row, 'diff_id')),
  })
  return {
    find(chain) {
      const row = database.get('SELECT * FROM layer WHERE chain = ?', chain)
      return row && layerOf(row)
    },
    facts(chain) {
      const row = database.get('SELECT diff_id, size, content FROM layer WHERE chain = ?', chain)
      return row && factsOf(row)
    },
    list: () => database.all('SELECT * FROM layer ORDER BY snapshot').map(layerOf),
    sizes: () =>
      new Map(
        database
          .all('SELECT chain, content FROM layer')
          .map((row) => [parseChainId(readText(row, 'chain')), readNumber(row, 'content')]),
      ),
    add: ({ chain, diffId, snapshot, size, content, rules }) =>
      void database.run(
        'INSERT OR IGNORE INTO layer (chain, diff_id, snapshot, size, content, rules) VALUES (?, ?, ?, ?, ?, ?)',
        chain,
        diffId,
        snapshot,
        size,
        content,
        rules ?? null,
      ),
    blobsOf,
    addBlob: (diffId, { digest, mediaType, size }) =>
      void database.run(
        'INSERT OR REPLACE INTO layer_blob (diff_id, digest, media_type, size) VALUES (?, ?, ?, ?)',
        diffId,
        digest,
        mediaType,
        size,
      ),
    removeBlob: (digest) => void database.run('DELETE FROM layer_blob WHERE digest = ?', digest),
    findChanges(chain) {
      const row = database.get('SELECT * FROM layer WHERE chain = ? AND added IS NOT NULL', chain)
      return row && changesOf(row)
    },
    saveChanges: (chain, { added, changed, removed }) =>
      void database.run(
        'UPDATE layer SET added = ?, changed = ?, removed = ? WHERE chain = ?',
        added,
        changed,
        removed,
        chain,
      ),
  }
}

function factsOf(row: Row): LayerFacts {
  return {
    diffId: parseDiffId(readText(row, 'diff_id')),
    size: readNumber(row, 'size'),
    content: readNumber(row, 'content'),
  }
}

function changesOf(row: Row): LayerChanges {
  return { added: readNumber(row, 'added'), changed: readNumber(row, 'changed'), removed: readNumber(row, 'removed') }
}

function blobOf(row: Row): Descriptor {
  return {
    mediaType: readText(row, 'media_type'),
    digest: parseDigest(readText(row, 'digest')),
    size: readNumber(row, 'size'),
  }
}
