import { parseDigest, type Digest } from '#oci'
import { type Database, readNumber, readText } from '#store/db'

/** A blob that a repository must have. */
export interface HubBlob {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** `app:1`, or `app@` and a short digest where no tag is; for a cache with its registry. */
  readonly names: readonly string[]
  /** Of another registry: it comes again when it is asked for. */
  readonly isCached: boolean
}

/** What repositories must have, by digest, with the manifests that say so. */
export function listHubBlobs({ database }: { readonly database: Database }): ReadonlyMap<Digest, HubBlob> {
  const found = new Map<Digest, HubBlob>()
  for (const row of database.all(BLOBS)) {
    const digest = parseDigest(readText(row, 'digest'))
    const space = readText(row, 'space')
    const name = readText(row, 'name')
    const before = found.get(digest)
    const names = [...(before?.names ?? []), space === '' ? name : `${name} of ${space}`]
    const isCached = space !== '' && before?.isCached !== false
    found.set(digest, { digest, size: readNumber(row, 'size'), names: [...new Set(names)], isCached })
  }
  return found
}

const BLOBS = `
WITH named AS (
  SELECT m.space, m.repository, m.digest, m.size,
    coalesce(m.repository || ':' || t.tag, m.repository || '@' || substr(m.digest, 8, 12)) AS name
  FROM hub_manifest m LEFT JOIN hub_tag t USING (space, repository, digest))
SELECT space, name, digest, size FROM named
UNION
SELECT n.space, n.name, l.digest, l.size FROM named n
JOIN hub_link l ON l.space = n.space AND l.repository = n.repository AND l.manifest = n.digest
WHERE l.kind = 'blob'
ORDER BY 1, 2, 3`
