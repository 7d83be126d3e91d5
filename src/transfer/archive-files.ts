import { collect, corrupt, invalid, shortId, throwIfCancelled, type Bytes } from '#base'
import {
  componentsOfName,
  detectCompression,
  quoteName,
  readTar,
  textOfName,
  type Compression,
  type TarMember,
} from '#archive'
import { parseDigest, type Digest } from '#oci'
import type { BlobInfo, ContentStore, Ingest } from '#store/content'
import type { Lease } from '#store/lease'

/** Files that tell what is in the archive, kept in memory: each at most this large. */
const MAX_DOCUMENT = 16 << 20
/** Members of an archive; more is no archive of images. */
const MAX_MEMBERS = 100_000
/** A link may lead to a link, a few times. */
const MAX_LINKS = 8

const DOCUMENTS: ReadonlySet<string> = new Set(['manifest.json', 'index.json', 'oci-layout', 'repositories'])
/** Members of Docker's oldest form that nothing refers to. */
const IGNORED = /(?:^|\/)(?:VERSION|json)$/
const BLOB = /^blobs\/sha256\/([0-9a-f]{64})$/
/** A layer in the archives that skopeo and Podman write in Docker's older form: named by its diff id. */
const LAYER = /^([0-9a-f]{64})\.tar$/
/** Where «ustar» stands in a tar's first block; 512 bytes long. */
const MAGIC = 257
const BLOCK = 512

export interface ArchiveBlob {
  readonly digest: Digest
  readonly size: number
  /** By its first bytes. */
  readonly compression: Compression
}

/** What an archive of images held: its documents in memory, everything else as blobs in the content store. */
export interface ArchiveFiles {
  document(path: string): Uint8Array | undefined
  /** By its path in the archive, through links inside it. */
  blob(path: string): ArchiveBlob | undefined
  /** Everything that is a blob, by its digest. */
  blobByDigest(digest: Digest): ArchiveBlob | undefined
}

interface Receiver {
  readonly content: ContentStore
  readonly lease: Lease
  readonly signal: AbortSignal | undefined
  /** Told of each file that looks like a layer's plain tar and says its digest, before its bytes come. */
  readonly arriving: (blob: BlobInfo, ingest: Ingest) => Promise<void>
}

/** Reads the archive once, as it comes; nothing of it is ever written to a path that it names. */
export async function receiveArchive(bytes: Bytes, receiver: Receiver): Promise<ArchiveFiles> {
  const documents = new Map<string, Uint8Array>()
  const blobs = new Map<string, ArchiveBlob>()
  const links = new Map<string, string>()
  let members = 0
  for await (const member of readTar(bytes)) {
    throwIfCancelled(receiver.signal, 'load')
    members += 1
    if (members > MAX_MEMBERS) throw invalid(`cannot load: the archive has more than ${MAX_MEMBERS} members`)
    const path = pathOf(member.path)
    if (member.kind === 'symlink' || member.kind === 'hardlink') links.set(path, linkTarget(path, member))
    if (member.kind !== 'file' || IGNORED.test(path)) continue
    if (DOCUMENTS.has(path)) documents.set(path, await document(member, path))
    else blobs.set(path, await receiveBlob(member, path, receiver))
  }
  const byDigest = new Map([...blobs.values()].map((blob) => [blob.digest, blob]))
  return {
    document: (path) => documents.get(path),
    blob: (path) => blobs.get(follow(pathOf(path), links)),
    blobByDigest: (digest) => byDigest.get(digest),
  }
}

function pathOf(path: string): string {
  return componentsOfName(path).map(textOfName).join('/')
}

/** A link's target is a name in the archive: a symbolic one relative to its folder, a hard one to the top. */
function linkTarget(path: string, member: TarMember): string {
  const folder = member.kind === 'symlink' ? path.split('/').slice(0, -1).join('/') : ''
  return pathOf(`${folder}/${member.link}`)
}

function follow(path: string, links: ReadonlyMap<string, string>): string {
  let at = path
  for (let hops = 0; hops < MAX_LINKS; hops += 1) {
    const next = links.get(at)
    if (next === undefined) return at
    at = next
  }
  throw corrupt(`cannot load: ${quoteName(path)} leads through too many links`)
}

async function document(member: TarMember, path: string): Promise<Uint8Array> {
  if (member.size > MAX_DOCUMENT) throw invalid(`cannot load: ${path} is larger than ${MAX_DOCUMENT} bytes`)
  return collect(member.body)
}

async function receiveBlob(member: TarMember, path: string, receiver: Receiver): Promise<ArchiveBlob> {
  const { content, lease, signal } = receiver
  if (member.sparse) throw corrupt(`cannot load: ${quoteName(path)} is a sparse file, which no blob is`)
  const hex = BLOB.exec(path)?.[1]
  const expected = hex === undefined ? undefined : parseDigest(`sha256:${hex}`)
  if (expected) lease.hold({ kind: 'blob', id: expected })
  const known = expected && (await content.find(expected))
  if (known && known.size === member.size)
    return { ...known, compression: await headOf(content.read(known.digest, { start: 0, end: 8 })) }
  await using ingest = await content.begin(`load ${shortId()}`, lease, { resume: false })
  let head: Uint8Array = new Uint8Array()
  for await (const chunk of member.body) {
    throwIfCancelled(signal, 'load')
    if (head.length < BLOCK) {
      head = Buffer.concat([head, chunk.subarray(0, BLOCK)])
      if (head.length >= BLOCK) await announce(ingest, { path, size: member.size, head }, receiver)
    }
    await ingest.write(chunk)
  }
  const blob = await ingest.commit(expected && { digest: expected, size: member.size })
  return { ...blob, compression: detectCompression(head) }
}

interface Announced {
  readonly path: string
  readonly size: number
  readonly head: Uint8Array
}

async function announce(ingest: Ingest, { path, size, head }: Announced, receiver: Receiver): Promise<void> {
  const hex = (BLOB.exec(path) ?? LAYER.exec(path))?.[1]
  const isTar = Buffer.from(head).toString('latin1', MAGIC, MAGIC + 5) === 'ustar'
  if (hex !== undefined && isTar) await receiver.arriving({ digest: parseDigest(`sha256:${hex}`), size }, ingest)
}

async function headOf(bytes: Bytes): Promise<Compression> {
  return detectCompression(await collect(bytes))
}
