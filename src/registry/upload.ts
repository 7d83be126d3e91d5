import { corrupt, type Bytes } from '#base'
import type { Descriptor } from '#oci'
import type { Client } from './client.ts'
import { RegistryError } from './error.ts'
import { describeRequest } from './http.ts'
import { createPieceReader, type PieceReader } from './pieces.ts'
import type { PutOutcome } from './types.ts'

/** Bytes of a piece at most, where a registry does not take a blob whole, and at least. */
const LARGEST_PIECE = 8 << 20
const SMALLEST_PIECE = 64 << 10
/** Failures in a row without a byte more than ever before. */
const MAX_FAILURES = 5

export interface WriteBlob {
  readonly repository: string
  readonly blob: Descriptor
  readonly bytes: () => Bytes
  readonly mountFrom?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * A mount where the registry grants it, else one POST and one PUT (distribution-spec, «Pushing a blob monolithically»);
 * where that is too large for it or is cut, pieces.
 */
export async function writeBlob(client: Client, request: WriteBlob): Promise<PutOutcome> {
  const begun = await begin(client, request)
  if (!begun) return 'mounted'
  try {
    await finish(client, request, { target: begun, body: request.bytes })
  } catch (error) {
    if (!isTooLarge(error) && !wasCut(error)) throw error
    await writePieces(client, request)
  }
  return 'uploaded'
}

/** Where the bytes go; undefined where the blob was mounted. */
async function begin(client: Client, request: WriteBlob): Promise<URL | undefined> {
  const { signal } = request
  const scopes = [...scopesOf(request), ...mountScopes(request)]
  const headers = { 'content-length': '0' }
  const reply = await client.expect(
    { method: 'POST', target: uploadTarget(request), headers, repeatable: true, scopes, signal },
    [201, 202],
  )
  await reply.discard()
  return reply.status === 201 ? undefined : client.resolveLink(reply.header('location') ?? '', signal)
}

/** The bytes that are left, if any, and what they all must hash to. */
async function finish(
  client: Client,
  { blob, signal, ...request }: WriteBlob,
  { target, body }: { readonly target: URL; readonly body?: () => Bytes },
): Promise<void> {
  const url = new URL(target)
  url.searchParams.set('digest', blob.digest)
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(body ? blob.size : 0) }
  const scopes = scopesOf(request)
  const reply = await client.expect(
    { method: 'PUT', target: url, headers, ...(body && { body }), scopes, signal },
    [200, 201, 204],
  )
  await reply.discard()
  const said = reply.header('docker-content-digest')
  if (said === undefined || said === blob.digest) return
  const what = describeRequest({ method: 'PUT', url })
  throw corrupt(`${what}: the registry stored blob ${blob.digest} as ${JSON.stringify(said)}`)
}

/** An upload in pieces: where the next goes, and the bytes that the registry has. */
interface Session {
  readonly target: URL
  readonly offset: number
}

/** As distribution-spec, «Pushing a blob in chunks»; after a failure on from where the registry says it is, or anew. */
async function writePieces(client: Client, whole: WriteBlob): Promise<void> {
  const request = { ...whole, mountFrom: undefined }
  const { blob } = request
  await using reader = createPieceReader(request.bytes)
  let size = Math.min(LARGEST_PIECE, Math.ceil(blob.size / 2))
  let [furthest, failures] = [0, 0]
  let session = await beginPieces(client, request)
  for (;;) {
    try {
      while (session.offset < blob.size) session = await sendPiece(client, request, { session, reader, size })
      await finish(client, request, session)
      return
    } catch (error) {
      failures = session.offset > furthest ? 1 : failures + 1
      furthest = Math.max(furthest, session.offset)
      if (isTooLarge(error) && size > SMALLEST_PIECE) size = Math.max(SMALLEST_PIECE, size >> 1)
      else if (!mayGoOn(error) || failures >= MAX_FAILURES) throw error
      session = (await askSession(client, request, session)) ?? (await beginPieces(client, request))
    }
  }
}

async function beginPieces(client: Client, request: WriteBlob): Promise<Session> {
  const target = await begin(client, request)
  if (!target) throw new RegistryError('unavailable', 'the registry mounts what nobody asked for', { status: 0 })
  return { target, offset: 0 }
}

async function sendPiece(
  client: Client,
  request: WriteBlob,
  { session, reader, size }: { readonly session: Session; readonly reader: PieceReader; readonly size: number },
): Promise<Session> {
  const { target, offset } = session
  const body = await reader.read(offset, Math.min(size, request.blob.size - offset))
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(body.length),
    'content-range': `${offset}-${offset + body.length - 1}`,
  }
  const { signal } = request
  const call = { method: 'PATCH', target, headers, body, scopes: scopesOf(request), signal } as const
  const reply = await client.expect(call, [200, 202, 204])
  await reply.discard()
  const has = rangeEnd(reply.header('range')) ?? offset + body.length
  if (has > offset && has <= offset + body.length)
    return { target: await nextTarget(client, session, reply), offset: has }
  const what = describeRequest({ method: 'PATCH', url: target })
  throw new RegistryError('unavailable', `${what}: unexpected EOF: the registry has ${has} bytes`, { status: 0 })
}

/** How far the registry has come with it; undefined where it knows it no more. */
async function askSession(client: Client, request: WriteBlob, session: Session): Promise<Session | undefined> {
  const { signal } = request
  const reply = await client.send({ method: 'GET', target: session.target, scopes: scopesOf(request), signal })
  await reply.discard()
  const offset = rangeEnd(reply.header('range'))
  if (reply.status !== 204 || offset === undefined || offset > request.blob.size) return undefined
  return { target: await nextTarget(client, session, reply), offset }
}

async function nextTarget(
  client: Client,
  { target }: Session,
  reply: { header(name: string): string | undefined },
): Promise<URL> {
  const link = reply.header('location')
  return link === undefined ? target : client.resolveLink(link)
}

/** Bytes of `0-N`, which has both ends within; `0-0` is how registries say that there are none. */
function rangeEnd(header: string | undefined): number | undefined {
  const [, end] = /^(?:bytes=)?0-(\d+)$/.exec(header ?? '') ?? []
  if (end === undefined) return undefined
  return end === '0' ? 0 : Number(end) + 1
}

function scopesOf({ repository }: Pick<WriteBlob, 'repository'>): readonly string[] {
  return [`repository:${repository}:pull,push`]
}

function mountScopes({ mountFrom }: WriteBlob): readonly string[] {
  return mountFrom === undefined ? [] : [`repository:${mountFrom}:pull`]
}

function uploadTarget({ repository, blob, mountFrom }: WriteBlob): string {
  const query =
    mountFrom === undefined ? '' : `?${new URLSearchParams({ mount: blob.digest, from: mountFrom }).toString()}`
  return `/v2/${repository}/blobs/uploads/${query}`
}

function isTooLarge(error: unknown): boolean {
  return error instanceof RegistryError && error.status === 413
}

function wasCut(error: unknown): boolean {
  return error instanceof RegistryError && error.status === 0 && error.message.includes('unexpected EOF')
}

function mayGoOn(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false
  return wasCut(error) || error.status >= 500 || [404, 416, 429].includes(error.status)
}
