import type { Digest } from '#oci'
import { HubFault } from './fault.ts'
import type { OwnShelf } from './own-shelf.ts'
import { parseBlobDigest, parseName } from './target.ts'
import type { HubReply, HubRequest } from './types.ts'
import type { Chunk, Uploads, UploadState } from './uploads.ts'

interface UploadScene {
  readonly shelf: OwnShelf
  readonly uploads: Uploads
}

/** A mount, a whole blob, or a session (distribution-spec, «Pushing blobs», «Mounting a blob from another repository»). */
export async function beginUpload(
  { shelf, uploads }: UploadScene,
  repository: string,
  request: HubRequest,
): Promise<HubReply> {
  const { query } = request
  const [mount, from, whole] = [query.get('mount'), query.get('from'), query.get('digest')]
  if (mount !== null && from !== null) {
    const digest = parseBlobDigest(mount)
    if (await shelf.mount(repository, digest, parseName(from), request)) return created(repository, digest)
  }
  if (whole === null) return accepted(202, repository, await uploads.begin(repository))
  const digest = parseBlobDigest(whole)
  const { id } = await uploads.begin(repository)
  await uploads.finish(repository, id, { ...chunkOf(request), digest })
  return created(repository, digest)
}

/** distribution-spec, «Pushing a blob in chunks». */
export async function onUpload(
  { uploads }: UploadScene,
  repository: string,
  id: string,
  request: HubRequest,
): Promise<HubReply> {
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return accepted(204, repository, await uploads.state(repository, id))
    case 'PATCH':
      return accepted(202, repository, await uploads.write(repository, id, chunkOf(request, repository)))
    case 'DELETE':
      await uploads.cancel(repository, id)
      return { status: 204 }
    default: {
      const digest = parseBlobDigest(request.query.get('digest') ?? '')
      await uploads.finish(repository, id, { ...chunkOf(request, repository), digest })
      return created(repository, digest)
    }
  }
}

/** The chunk must go on where the last one ended, and be as long as it says. */
function chunkOf(request: HubRequest, repository = ''): Chunk {
  const range = request.header('content-range')
  const length = request.header('content-length')
  const [, first, last] = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/\S*)?$/.exec(range ?? '') ?? []
  const isEmpty = length === '0'
  return {
    bytes: request.body,
    check(state) {
      if (range === undefined || isEmpty) return
      if (first === undefined || Number(last) < Number(first))
        throw new HubFault('BLOB_UPLOAD_INVALID', `invalid Content-Range ${JSON.stringify(range.slice(0, 100))}`)
      if (length !== undefined && Number(length) !== Number(last) - Number(first) + 1)
        throw new HubFault('SIZE_INVALID', 'Content-Range and Content-Length do not agree')
      if (Number(first) === state.offset) return
      throw new HubFault('BLOB_UPLOAD_INVALID', `the next byte is ${state.offset}`, {
        status: 416,
        headers: stateHeaders(repository, state),
      })
    },
  }
}

function accepted(status: number, repository: string, state: UploadState): HubReply {
  return { status, headers: stateHeaders(repository, state) }
}

function stateHeaders(repository: string, { id, offset }: UploadState): Readonly<Record<string, string>> {
  return {
    location: `/v2/${repository}/blobs/uploads/${id}`,
    range: `0-${Math.max(offset - 1, 0)}`,
    'docker-upload-uuid': id,
  }
}

function created(repository: string, digest: Digest): HubReply {
  return {
    status: 201,
    headers: { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest },
  }
}
