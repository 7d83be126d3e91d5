import type { Clock } from '#base'
import { parseDigest, type Digest, type Document } from '#oci'
import type { Database, Row } from '#store/db'
import { readNumber, readOptionalText, readText } from '#store/db'
import type { ManifestInfo, Referrer, RepositoryInfo } from './types.ts'

/** How long a blob that no manifest names, and an upload nobody goes on with, are kept: a day, in nanoseconds. */
const KEPT = 24n * 3600n * 1_000_000_000n
/** A blob that is asked for is kept for another day, said at most this often. */
const TOUCH = 3600n * 1_000_000_000n

/** The tables of one space: what was pushed here (''), or what is kept of another registry (its address). Synchronous. */
export interface SpaceRecords {
  findManifest(repository: string, reference: string): ManifestInfo | undefined
  /** Replaces what was known of it; `tag` then points to it. The blobs it names are the repository's. */
  putManifest(repository: string, manifest: ManifestInfo, document: Document, tag: string | undefined): void
  setTag(repository: string, tag: string, digest: Digest): void
  /** True where it was there; its tags go with it. */
  removeManifest(repository: string, digest: Digest): boolean
  removeTag(repository: string, tag: string): boolean
  tags(repository: string): readonly string[]
  has(repository: string): boolean
  repositories(): readonly string[]
  referrers(repository: string, subject: Digest): readonly Referrer[]
  /** True where the repository has it, pushed or named by a manifest. */
  hasBlob(repository: string, digest: Digest): boolean
  /** Bytes of a blob as a manifest says; undefined where none names it. */
  sizeOf(repository: string, digest: Digest): number | undefined
  isNamed(repository: string, digest: Digest): boolean
  addBlob(repository: string, digest: Digest): void
  removeBlob(repository: string, digest: Digest): void
  saveUpload(id: string, repository: string): void
  hasUpload(id: string, repository: string): boolean
  removeUpload(id: string): void
}

export function spaceRecords(database: Database, clock: Clock, space: string): SpaceRecords {
  return {
    ...manifestReads(database, space),
    ...manifestChanges(database, clock, space),
    ...blobRecords(database, clock, space),
    ...uploadRecords(database, clock, space),
  }
}

type ManifestReads = Pick<SpaceRecords, 'findManifest' | 'tags' | 'has' | 'repositories' | 'referrers'>

function manifestReads(database: Database, space: string): ManifestReads {
  return {
    findManifest(repository, reference) {
      const row = reference.includes(':')
        ? database.get(BY_DIGEST, space, repository, reference)
        : database.get(BY_TAG, space, repository, reference)
      return row && manifestOf(row)
    },
    tags: (repository) =>
      database
        .all('SELECT tag FROM hub_tag WHERE space = ? AND repository = ? ORDER BY tag', space, repository)
        .map((row) => readText(row, 'tag')),
    has: (repository) =>
      database.get('SELECT 1 FROM hub_manifest WHERE space = ? AND repository = ? LIMIT 1', space, repository) !==
      undefined,
    repositories: () =>
      database
        .all('SELECT DISTINCT repository FROM hub_manifest WHERE space = ? ORDER BY repository', space)
        .map((row) => readText(row, 'repository')),
    referrers: (repository, subject) =>
      database
        .all(
          'SELECT * FROM hub_manifest WHERE space = ? AND repository = ? AND subject = ? ORDER BY added_at, digest',
          space,
          repository,
          subject,
        )
        .map(referrerOf),
  }
}

const BY_DIGEST = 'SELECT * FROM hub_manifest WHERE space = ? AND repository = ? AND digest = ?'
const BY_TAG = `
SELECT m.* FROM hub_tag t JOIN hub_manifest m USING (space, repository, digest)
WHERE t.space = ? AND t.repository = ? AND t.tag = ?`

function manifestChanges(
  database: Database,
  clock: Clock,
  space: string,
): Pick<SpaceRecords, 'putManifest' | 'setTag' | 'removeManifest' | 'removeTag'> {
  const setTag: SpaceRecords['setTag'] = (repository, tag, digest) =>
    void database.run(
      `INSERT INTO hub_tag (space, repository, tag, digest, updated_at) VALUES (?1, ?2, ?3, ?4, ?5)
       ON CONFLICT (space, repository, tag) DO UPDATE SET digest = ?4, updated_at = ?5`,
      space,
      repository,
      tag,
      digest,
      clock.nanoseconds(),
    )
  const addManifest = (repository: string, { digest, mediaType, size }: ManifestInfo, document: Document): void => {
    database.run(
      `INSERT OR IGNORE INTO hub_manifest
         (space, repository, digest, media_type, size, subject, artifact_type, annotations, added_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      space,
      repository,
      digest,
      mediaType,
      size,
      document.subject ?? null,
      document.artifactType ?? null,
      JSON.stringify(document.annotations),
      clock.nanoseconds(),
    )
    const add = (link: { readonly digest: Digest; readonly size: number }, kind: string): void =>
      void database.run(ADD_LINK, space, repository, digest, link.digest, link.size, kind)
    for (const link of document.blobs) add(link, link.foreign ? 'foreign' : 'blob')
    for (const link of document.manifests) add(link, 'manifest')
  }
  return {
    setTag,
    putManifest: (repository, manifest, document, tag) =>
      database.transaction(() => {
        addManifest(repository, manifest, document)
        if (tag !== undefined) setTag(repository, tag, manifest.digest)
      }),
    removeManifest: (repository, digest) =>
      database.run(
        'DELETE FROM hub_manifest WHERE space = ? AND repository = ? AND digest = ?',
        space,
        repository,
        digest,
      ).changes > 0,
    removeTag: (repository, tag) =>
      database.run('DELETE FROM hub_tag WHERE space = ? AND repository = ? AND tag = ?', space, repository, tag)
        .changes > 0,
  }
}

const ADD_LINK = `
INSERT OR IGNORE INTO hub_link (space, repository, manifest, digest, size, kind) VALUES (?, ?, ?, ?, ?, ?)`

function blobRecords(
  database: Database,
  clock: Clock,
  space: string,
): Pick<SpaceRecords, 'hasBlob' | 'sizeOf' | 'isNamed' | 'addBlob' | 'removeBlob'> {
  const sizeOf: SpaceRecords['sizeOf'] = (repository, digest) => {
    const row = database.get(
      'SELECT size FROM hub_link WHERE space = ? AND repository = ? AND digest = ? LIMIT 1',
      space,
      repository,
      digest,
    )
    return row && readNumber(row, 'size')
  }
  const addBlob: SpaceRecords['addBlob'] = (repository, digest) =>
    void database.run(
      `INSERT INTO hub_blob (space, repository, digest, used_at) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT (space, repository, digest) DO UPDATE SET used_at = ?4 WHERE used_at < ?4 - ${TOUCH}`,
      space,
      repository,
      digest,
      clock.nanoseconds(),
    )
  return {
    sizeOf,
    isNamed: (repository, digest) => sizeOf(repository, digest) !== undefined,
    addBlob,
    hasBlob(repository, digest) {
      if (sizeOf(repository, digest) !== undefined) return true
      const row = database.get(
        'SELECT used_at FROM hub_blob WHERE space = ? AND repository = ? AND digest = ?',
        space,
        repository,
        digest,
      )
      // Whoever asks will name it in a manifest soon.
      if (row) addBlob(repository, digest)
      return row !== undefined
    },
    removeBlob: (repository, digest) =>
      void database.run(
        'DELETE FROM hub_blob WHERE space = ? AND repository = ? AND digest = ?',
        space,
        repository,
        digest,
      ),
  }
}

function uploadRecords(
  database: Database,
  clock: Clock,
  space: string,
): Pick<SpaceRecords, 'saveUpload' | 'hasUpload' | 'removeUpload'> {
  return {
    saveUpload: (id, repository) =>
      void database.run(
        'INSERT OR REPLACE INTO hub_upload (id, space, repository, used_at) VALUES (?, ?, ?, ?)',
        id,
        space,
        repository,
        clock.nanoseconds(),
      ),
    hasUpload: (id, repository) =>
      database.get(
        'SELECT 1 FROM hub_upload WHERE id = ? AND space = ? AND repository = ? AND used_at > ?',
        id,
        space,
        repository,
        clock.nanoseconds() - KEPT,
      ) !== undefined,
    removeUpload: (id) => void database.run('DELETE FROM hub_upload WHERE id = ?', id),
  }
}

/** What concerns all spaces. */
export interface HubRecords {
  /** Digests that must stay. */
  kept(): readonly Digest[]
  /** Forgets what nothing named for a day. */
  forgetOld(): void
  summary(): readonly RepositoryInfo[]
  /** Forgets manifests; how many. */
  prune(mirrors: boolean): number
  listeners(): ReadonlyMap<string, string>
  saveListener(address: string, options: string): void
  removeListener(address: string): void
}

export function hubRecords(database: Database, clock: Clock): HubRecords {
  const since = (): bigint => clock.nanoseconds() - KEPT
  return {
    kept: () => database.all(ALL_KEPT, since()).map((row) => parseDigest(readText(row, 'digest'))),
    forgetOld() {
      database.run(FORGET_BLOBS, since())
      database.run('DELETE FROM hub_upload WHERE used_at <= ?', since())
    },
    summary: () => database.all(SUMMARY).map(repositoryOf),
    prune: (mirrors) =>
      database.transaction(() => {
        const cached = mirrors ? database.run("DELETE FROM hub_manifest WHERE space <> ''").changes : 0
        return cached + removeUnreached(database)
      }),
    listeners: () =>
      new Map(
        database
          .all('SELECT * FROM hub_listener ORDER BY address')
          .map((row) => [readText(row, 'address'), readText(row, 'options')]),
      ),
    saveListener: (address, options) =>
      void database.run('INSERT OR REPLACE INTO hub_listener (address, options) VALUES (?, ?)', address, options),
    removeListener: (address) => void database.run('DELETE FROM hub_listener WHERE address = ?', address),
  }
}

const ALL_KEPT = `
SELECT digest FROM hub_manifest UNION SELECT digest FROM hub_link
UNION SELECT digest FROM hub_blob WHERE used_at > ?`

const FORGET_BLOBS = `
DELETE FROM hub_blob WHERE used_at <= ?1 AND NOT EXISTS (
  SELECT 1 FROM hub_link l
  WHERE l.space = hub_blob.space AND l.repository = hub_blob.repository AND l.digest = hub_blob.digest)`

const SUMMARY = `
SELECT space, repository, count(*) AS manifests,
  (SELECT count(*) FROM hub_tag t WHERE t.space = m.space AND t.repository = m.repository) AS tags,
  (SELECT total(size) FROM (
     SELECT digest, size FROM hub_manifest x WHERE x.space = m.space AND x.repository = m.repository
     UNION SELECT digest, size FROM hub_link l WHERE l.space = m.space AND l.repository = m.repository)) AS size
FROM hub_manifest m GROUP BY space, repository ORDER BY space, repository`

/** Each round takes what nothing leads to; what an index among them led to goes in the next. */
function removeUnreached(database: Database): number {
  let removed = 0
  for (let round = -1; round !== 0; removed += round) round = database.run(REMOVE_UNREACHED).changes
  return removed
}

const REMOVE_UNREACHED = `
DELETE FROM hub_manifest AS m
WHERE NOT EXISTS (
  SELECT 1 FROM hub_tag t WHERE t.space = m.space AND t.repository = m.repository AND t.digest = m.digest)
AND NOT EXISTS (
  SELECT 1 FROM hub_link l WHERE l.space = m.space AND l.repository = m.repository AND l.digest = m.digest)
AND NOT EXISTS (
  SELECT 1 FROM hub_manifest s WHERE s.space = m.space AND s.repository = m.repository AND s.digest = m.subject)`

function manifestOf(row: Row): ManifestInfo {
  return {
    digest: parseDigest(readText(row, 'digest')),
    mediaType: readText(row, 'media_type'),
    size: readNumber(row, 'size'),
  }
}

function referrerOf(row: Row): Referrer {
  const artifactType = readOptionalText(row, 'artifact_type')
  return {
    ...manifestOf(row),
    annotations: annotationsOf(readText(row, 'annotations')),
    ...(artifactType !== undefined && { artifactType }),
  }
}

function annotationsOf(text: string): Readonly<Record<string, string>> {
  const value: unknown = JSON.parse(text)
  return Object.fromEntries(
    Object.entries(typeof value === 'object' && value !== null ? value : {}).map(([key, note]) => [key, String(note)]),
  )
}

function repositoryOf(row: Row): RepositoryInfo {
  const space = readText(row, 'space')
  return {
    name: readText(row, 'repository'),
    tags: readNumber(row, 'tags'),
    manifests: readNumber(row, 'manifests'),
    size: readNumber(row, 'size'),
    ...(space !== '' && { mirrorOf: space }),
  }
}
