import type { ContentStore } from '#store/content'
import { deleteBlob, getBlob } from './blob-routes.ts'
import { HubFault } from './fault.ts'
import { listRepositories, listTags } from './list-routes.ts'
import { deleteManifest, getManifest, getReferrers, putManifest } from './manifest-routes.ts'
import type { OwnShelf } from './own-shelf.ts'
import { parseTarget, type Target } from './target.ts'
import type { HubReply, HubRequest, Shelf } from './types.ts'
import { beginUpload, onUpload } from './upload-routes.ts'
import type { Uploads } from './uploads.ts'

/** What a listener gives out, and what it may change. */
export interface Service {
  readonly shelf: Shelf
  readonly content: ContentStore
  /** Absent: nothing is taken, and nothing removed. */
  readonly writing?: { readonly shelf: OwnShelf; readonly uploads: Uploads }
}

/** The reply to a request of the distribution API. Throws `HubFault` for what is refused; undefined: no such path. */
export async function respond(service: Service, path: string, request: HubRequest): Promise<HubReply | undefined> {
  const target = parseTarget(path)
  if (!target) return undefined
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (isRead && target.kind !== 'upload') return await read(service, target, request)
  const { writing } = service
  if (!writing) throw new HubFault('UNSUPPORTED', 'this registry is read-only')
  return await write({ ...service, ...writing }, target, request)
}

async function read({ shelf, content }: Service, target: Target, request: HubRequest): Promise<HubReply | undefined> {
  switch (target.kind) {
    case 'base':
      return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from('{}') }
    case 'catalog':
      return await listRepositories(shelf, request)
    case 'tags':
      return await listTags(shelf, target.repository, request)
    case 'referrers':
      return await getReferrers(shelf, target.repository, target.digest, request)
    case 'manifest':
      return await getManifest({ shelf, content }, target.repository, target.reference, request)
    case 'blob':
      return await getBlob(shelf, target.repository, target.digest, request)
    case 'uploads':
    case 'upload':
      throw notAllowed(request)
  }
}

interface WriteScene {
  readonly shelf: OwnShelf
  readonly uploads: Uploads
  readonly content: ContentStore
}

async function write(scene: WriteScene, target: Target, request: HubRequest): Promise<HubReply> {
  const { method } = request
  if (target.kind === 'uploads' && method === 'POST') return await beginUpload(scene, target.repository, request)
  if (target.kind === 'upload' && method !== 'POST') return await onUpload(scene, target.repository, target.id, request)
  if (target.kind === 'manifest' && method === 'PUT')
    return await putManifest(scene, target.repository, target.reference, request)
  if (target.kind === 'manifest' && method === 'DELETE')
    return await deleteManifest(scene.shelf, target.repository, target.reference)
  if (target.kind === 'blob' && method === 'DELETE') return deleteBlob(scene.shelf, target.repository, target.digest)
  throw notAllowed(request)
}

function notAllowed({ method }: HubRequest): HubFault {
  return new HubFault('UNSUPPORTED', `the operation ${method} is unsupported here`)
}
