import { corrupt, unsupported, type Bytes } from '#base'
import type { Descriptor, Digest } from '#oci'
import type { Call, Client } from './client.ts'
import { RegistryError, replyError, withoutRequest } from './error.ts'
import type { HttpReply } from './http.ts'

/** Asks with HEAD; a redirect to where the bytes are counts as there. */
export async function findBlob(
  client: Client,
  repository: string,
  digest: Digest,
  signal?: AbortSignal,
): Promise<boolean> {
  const call: Call = {
    method: 'HEAD',
    target: `/v2/${repository}/blobs/${digest}`,
    scopes: [`repository:${repository}:pull`],
    signal,
  }
  const reply = await client.send(call).catch((error: unknown) => {
    throw withoutRequest(error)
  })
  await reply.discard()
  if (reply.status === 404) return false
  if (reply.status >= 200 && reply.status < 300) return true
  // A HEAD has no body that would say why; whoever asked goes on with a POST, which has.
  if (reply.status === 401 || reply.status === 403 || reply.status === 405) return false
  throw await replyError(`Head "${call.target.toString()}"`, reply)
}

export interface ReadBlob {
  readonly repository: string
  readonly blob: Descriptor
  /** Bytes that are there already. */
  readonly from: number
  readonly signal?: AbortSignal | undefined
}

/** The bytes from `from` on: just as many as the descriptor promises, or an error. */
export async function* readBlob(client: Client, { repository, blob, from, signal }: ReadBlob): Bytes {
  const target = `/v2/${repository}/blobs/${blob.digest}`
  const reply = await client.expect(
    {
      method: 'GET',
      target,
      ...(from > 0 && { headers: { range: `bytes=${from}-` } }),
      scopes: [`repository:${repository}:pull`],
      signal,
    },
    from > 0 ? [200, 206, 416] : [200],
  )
  const what = `blob ${blob.digest} of ${repository}`
  if (from > 0) await checkRange(reply, { blob, from, what })
  await checkLength(reply, blob.size - from, what)
  yield* counted(reply.body, blob.size - from, what)
}

async function checkRange(
  reply: HttpReply,
  { blob, from, what }: { readonly blob: Descriptor; readonly from: number; readonly what: string },
): Promise<void> {
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(reply.header('content-range') ?? '')
  const [, start, end, total] = range ?? []
  const fits = Number(start) === from && Number(end) === blob.size - 1 && (total === '*' || Number(total) === blob.size)
  if (reply.status === 206 && range && fits) return
  await reply.discard()
  throw unsupported(`cannot continue ${what} at byte ${from}: the registry ignores the range`)
}

async function checkLength(reply: HttpReply, wanted: number, what: string): Promise<void> {
  const said = reply.header('content-length')
  if (said === undefined || Number(said) === wanted) return
  await reply.discard()
  throw corrupt(`cannot fetch ${what}: the registry offers ${said} bytes where ${wanted} are wanted`)
}

async function* counted(bytes: Bytes, wanted: number, what: string): Bytes {
  let count = 0
  for await (const chunk of bytes) {
    count += chunk.length
    if (count > wanted) throw corrupt(`cannot fetch ${what}: the registry sends more than the ${wanted} bytes wanted`)
    yield chunk
  }
  if (count < wanted) {
    throw new RegistryError('unavailable', `cannot fetch ${what}: unexpected EOF after ${count} of ${wanted} bytes`, {
      status: 0,
    })
  }
}
