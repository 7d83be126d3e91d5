import { corrupt, isKind } from '#base'
import {
  canonicalReference,
  digestOf,
  familiarName,
  familiarReference,
  isDigest,
  MEDIA_TYPES,
  parseDigest,
  type Descriptor,
  type Digest,
  type Reference,
} from '#oci'
import { faultText, RegistryError } from './error.ts'
import type { Call, Client, WholeReply } from './client.ts'
import type { HttpReply } from './http.ts'

/** Registries take at most this much (distribution-spec, «Pushing Manifests»). */
const MAX_MANIFEST = 4 << 20

const ACCEPT = [
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.dockerIndex,
  MEDIA_TYPES.dockerManifest,
  MEDIA_TYPES.dockerSchema1Signed,
  MEDIA_TYPES.dockerSchema1,
].join(', ')

/** Asks with HEAD; where that does not tell everything, with GET. */
export async function resolveManifest(client: Client, name: Reference, signal?: AbortSignal): Promise<Descriptor> {
  const call = readCall(name.path, name.digest ?? name.tag ?? 'latest', signal)
  try {
    const head = await client.send({ ...call, method: 'HEAD' })
    await head.discard()
    const described = head.status === 200 ? describeHead(head) : undefined
    const found = described ?? describeBody(await client.read(call, MAX_MANIFEST))
    if (name.digest === undefined || name.digest === found.digest) return found
    throw corrupt(`cannot resolve ${canonicalReference(name)}: the registry answered with ${found.digest}`)
  } catch (error) {
    throw inDockersWords(error, name)
  }
}

/** The bytes of a manifest, verified. */
export async function readManifest(
  client: Client,
  repository: string,
  descriptor: Descriptor,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { bytes } = await client.read(readCall(repository, descriptor.digest, signal), MAX_MANIFEST)
  const found = digestOf(bytes)
  if (found === descriptor.digest) return bytes
  throw corrupt(`cannot fetch manifest ${descriptor.digest} of ${repository}: its bytes hash to ${found}`)
}

export async function writeManifest(
  client: Client,
  name: Reference,
  manifest: { readonly mediaType: string; readonly bytes: Uint8Array },
  signal?: AbortSignal,
): Promise<Digest> {
  const digest = digestOf(manifest.bytes)
  const reply = await client.expect(
    {
      method: 'PUT',
      target: `/v2/${name.path}/manifests/${name.tag ?? digest}`,
      headers: { 'content-type': manifest.mediaType, 'content-length': String(manifest.bytes.length) },
      body: manifest.bytes,
      repeatable: true,
      scopes: [`repository:${name.path}:pull,push`],
      signal,
    },
    [200, 201, 202],
  )
  await reply.discard()
  const said = reply.header('docker-content-digest')
  if (said === undefined || said === digest) return digest
  throw corrupt(`cannot push manifest ${digest} of ${name.path}: the registry stored it as ${JSON.stringify(said)}`)
}

function readCall(repository: string, what: string, signal: AbortSignal | undefined): Call {
  return {
    method: 'GET',
    target: `/v2/${repository}/manifests/${what}`,
    headers: { accept: ACCEPT },
    scopes: [`repository:${repository}:pull`],
    signal,
  }
}

function describeHead(reply: HttpReply): Descriptor | undefined {
  const digest = reply.header('docker-content-digest') ?? ''
  const size = reply.header('content-length') ?? ''
  const mediaType = mediaTypeOf(reply)
  if (!isDigest(digest) || !/^[1-9]\d{0,9}$/.test(size) || mediaType === undefined) return undefined
  return { mediaType, digest: parseDigest(digest), size: Number(size) }
}

function describeBody(reply: WholeReply): Descriptor {
  const { bytes } = reply
  const mediaType = mediaTypeOf(reply) ?? 'application/json'
  const digest = digestOf(bytes)
  const said = reply.header('docker-content-digest') ?? digest
  if (isDigest(said) && said !== digest) {
    throw corrupt(`cannot fetch manifest ${said}: its bytes hash to ${digest}`)
  }
  return { mediaType, digest, size: bytes.length }
}

function mediaTypeOf(reply: Pick<HttpReply, 'header'>): string | undefined {
  return reply.header('content-type')?.split(';')[0]?.trim()
}

/** What Docker's daemon makes of a refused pull; clients and scripts know these texts. */
function inDockersWords(error: unknown, name: Reference): unknown {
  if (!(error instanceof RegistryError) || error.status === 0) return error
  const { status, codes } = error
  const facts = { status, codes, cause: error }
  if (codes.includes('DENIED') || (status === 401 && codes.length > 0)) {
    const said = codes.includes('DENIED')
      ? error.message
      : faultText({ code: 'DENIED', message: 'requested access to the resource is denied' })
    const text = `pull access denied for ${familiarName(name)}, repository does not exist or may require 'docker login'`
    return new RegistryError('not-found', `${text}: ${said}`, facts)
  }
  if (codes.includes('NAME_UNKNOWN')) {
    return new RegistryError('not-found', `repository ${familiarName(name)} not found: ${error.message}`, facts)
  }
  if (!isKind(error, 'not-found')) return error
  const said = codes.length > 0 ? error.message : 'manifest unknown: manifest unknown'
  return new RegistryError('not-found', `manifest for ${familiarReference(name)} not found: ${said}`, facts)
}
