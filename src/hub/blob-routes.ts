import type { Digest } from '#oci'
import { HubFault } from './fault.ts'
import type { OwnShelf } from './own-shelf.ts'
import type { HubReply, HubRequest, Shelf, ShelfBlob } from './types.ts'

/** distribution-spec, «Pulling blobs». */
export async function getBlob(
  shelf: Shelf,
  repository: string,
  digest: Digest,
  request: HubRequest,
): Promise<HubReply> {
  const blob = await shelf.blob(repository, digest, request)
  if (!blob) throw new HubFault('BLOB_UNKNOWN', 'blob unknown to registry', { detail: { digest } })
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    etag: `"${digest}"`,
  }
  const range = request.method === 'GET' ? readRange(request.header('range'), blob) : undefined
  const { start, end } = range ?? { start: 0, end: blob.size }
  return {
    status: range ? 206 : 200,
    headers: {
      ...headers,
      'content-length': String(end - start),
      ...(range && { 'content-range': `bytes ${start}-${end - 1}/${blob.size}` }),
    },
    ...(request.method === 'GET' && { body: blob.read(start, end) }),
  }
}

/**
 * RFC 9110, section 14: one range of bytes, else the whole (also for several, and for other units). Throws `HubFault`
 * with 416 for one beyond the end.
 */
export function readRange(
  header: string | undefined,
  { size }: Pick<ShelfBlob, 'size'>,
): { readonly start: number; readonly end: number } | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? []
  if (first === '' && last === '') return undefined
  if (first === '') return rangeWithin(Math.max(size - Number(last), 0), size, size)
  if (last === '') return rangeWithin(Number(first), size, size)
  return Number(last) < Number(first) ? undefined : rangeWithin(Number(first), Number(last) + 1, size)
}

function rangeWithin(start: number, wanted: number, size: number): { readonly start: number; readonly end: number } {
  const end = Math.min(wanted, size)
  if (start < end) return { start, end }
  throw new HubFault('SIZE_INVALID', 'the range lies beyond the end of the blob', {
    status: 416,
    headers: { 'content-range': `bytes */${size}` },
  })
}

/** distribution-spec, «Deleting Blobs». */
export function deleteBlob(shelf: OwnShelf, repository: string, digest: Digest): HubReply {
  shelf.removeBlob(repository, digest)
  return { status: 202, headers: { 'docker-content-digest': digest } }
}
