// Offers an image in a registry: the few calls of the distribution API that a push needs.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { request } from 'node:http'
import { Stop } from './run.mjs'

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
const CONFIG = 'application/vnd.docker.container.image.v1+json'
const LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip'

/** Pushes what the registry does not have, under each of the image's tags; `base` is «http://127.0.0.1:PORT». */
export async function push(base, image) {
  const repository = `${base}/v2/library/${image.name}`
  const config = { digest: digestOf(image.config), size: Buffer.byteLength(image.config) }
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: CONFIG, ...config },
    layers: [{ mediaType: LAYER, size: image.size, digest: image.digest }],
  })
  for (const tag of image.tags) {
    const there = await send('HEAD', `${repository}/manifests/${tag}`, { headers: { accept: MANIFEST } })
    if (there.headers['docker-content-digest'] === digestOf(manifest)) continue
    await putBlob(repository, config, () => image.config)
    await putBlob(repository, image, () => createReadStream(image.layer))
    await expect(201, 'PUT', `${repository}/manifests/${tag}`, {
      headers: { 'content-type': MANIFEST },
      body: manifest,
    })
  }
}

async function putBlob(repository, { digest, size }, body) {
  const there = await send('HEAD', `${repository}/blobs/${digest}`)
  if (there.status === 200) return
  const begun = await expect(202, 'POST', `${repository}/blobs/uploads/`, { headers: { 'content-length': 0 } })
  const place = new URL(begun.headers.location, repository)
  place.searchParams.set('digest', digest)
  const headers = { 'content-type': 'application/octet-stream', 'content-length': size }
  await expect(201, 'PUT', place, { headers, body: body() })
}

async function expect(status, method, url, options) {
  const reply = await send(method, url, options)
  if (reply.status !== status) {
    throw new Stop(
      `the stand-in registry answered ${method} ${new URL(url).pathname} with ${reply.status}: ${reply.body}`,
    )
  }
  return reply
}

/** One request to the loopback, past any proxy; resolves to { status, headers, body }. */
export function send(method, url, { headers = {}, body, timeout = 60_000 } = {}) {
  return new Promise((resolve, reject) => {
    const call = request(url, { method, headers, timeout }, (reply) => {
      let text = ''
      reply.setEncoding('utf8')
      reply.on('data', (chunk) => (text += chunk))
      reply.on('end', () => resolve({ status: reply.statusCode, headers: reply.headers, body: text }))
      reply.on('error', reject)
    })
    call.on('timeout', () => call.destroy(new Error('no answer')))
    call.on('error', reject)
    if (body?.pipe) body.on('error', reject).pipe(call)
    else call.end(body)
  })
}

const digestOf = (text) => `sha256:${createHash('sha256').update(text).digest('hex')}`
