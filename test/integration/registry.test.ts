import { bytesOf, collect, isKind, systemClock } from '#base'
import { digestOf, formatManifest, MEDIA_TYPES, parseReference, type Descriptor, type Manifest } from '#oci'
import { createRegistries, RegistryError, type Registry, type RegistryConfig } from '#registry'
import { watchLeftovers } from '#test/leftovers'
import { startRegistry, type TestRegistry } from '#test/registry'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { test } from 'node:test'

const PATIENCE = { attempts: 3, delay: 1, longest: 20 }
const CONFIG: RegistryConfig = { mirrors: [], insecure: [], patience: PATIENCE }

const describe = (mediaType: string, bytes: Uint8Array): Descriptor => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
})

const CONFIG_BYTES = Buffer.from('{"rootfs":{"type":"layers","diff_ids":[]}}')
const LAYER_BYTES = Buffer.alloc(300_000, 'layer')
const MANIFEST: Manifest = {
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.ociManifest,
  config: describe(MEDIA_TYPES.ociConfig, CONFIG_BYTES),
  layers: [describe(MEDIA_TYPES.ociLayerGzip, LAYER_BYTES)],
}
const MANIFEST_BYTES = formatManifest(MANIFEST)
const LAYER = describe(MEDIA_TYPES.ociLayerGzip, LAYER_BYTES)

async function pushAll(registry: Registry, repository: string, name: string): Promise<void> {
  assert.equal(await registry.putBlob(repository, MANIFEST.config, () => bytesOf(CONFIG_BYTES)), 'uploaded')
  assert.equal(await registry.putBlob(repository, LAYER, () => bytesOf(LAYER_BYTES)), 'uploaded')
  await registry.putManifest(parseReference(name), MANIFEST.mediaType, MANIFEST_BYTES)
}

test('what is pushed to a real registry comes back byte for byte', async () => {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  {
    await using server = await startRegistry(folder.path)
    await using registries = createRegistries(CONFIG, systemClock())
    const name = parseReference(`${server.host}/a/b:1`)
    const [registry] = registries.registryFor(name)
    assert.ok(registry)
    assert.equal(await registry.hasBlob('a/b', LAYER.digest), false)
    await pushAll(registry, 'a/b', `${server.host}/a/b:1`)
    assert.equal(await registry.hasBlob('a/b', LAYER.digest), true)
    const found = await registry.resolve(name)
    assert.deepEqual(found, describe(MANIFEST.mediaType, MANIFEST_BYTES))
    assert.deepEqual(Buffer.from(await registry.manifest('a/b', found)), MANIFEST_BYTES)
    assert.deepEqual(await collect(registry.blob('a/b', LAYER)), LAYER_BYTES)
    assert.deepEqual(await collect(registry.blob('a/b', LAYER, 123_456)), LAYER_BYTES.subarray(123_456))
    assert.deepEqual(await registry.tags('a/b'), ['1'])
    assert.equal(await registry.putBlob('c', LAYER, () => bytesOf(LAYER_BYTES), { mountFrom: 'a/b' }), 'mounted')
    await refusals(server, registry)
  }
  await leftovers.assertNothingLeft()
})

async function refusals(server: TestRegistry, registry: Registry): Promise<void> {
  await assert.rejects(registry.resolve(parseReference(`${server.host}/a/b:2`)), {
    kind: 'not-found',
    message: `manifest for ${server.host}/a/b:2 not found: manifest unknown: manifest unknown`,
  })
  await assert.rejects(registry.tags('nothing'), (error) => error instanceof RegistryError && error.status === 404)
  const wrong = { ...LAYER, digest: digestOf('other') }
  await assert.rejects(
    registry.putBlob('a/b', wrong, () => bytesOf(LAYER_BYTES)),
    (error) => {
      return error instanceof RegistryError && error.codes.includes('DIGEST_INVALID')
    },
  )
}

type Answer = (request: IncomingMessage, reply: ServerResponse) => void

interface Scripted extends AsyncDisposable {
  readonly host: string
  /** Method, path, and authorization of every request. */
  readonly seen: string[]
}

/** A server that answers as the test says, on the loopback. */
async function scripted(answer: Answer): Promise<Scripted> {
  const seen: string[] = []
  const server = createServer((request, reply) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'}`)
    if (request.url === '/v2/') reply.end()
    else answer(request, reply)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return {
    host: `127.0.0.1:${address.port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function withScripted(
  answer: Answer,
  work: (registry: Registry, server: Scripted) => Promise<void>,
  credentials?: { readonly username: string; readonly password: string },
): Promise<void> {
  await using server = await scripted(answer)
  await using registries = createRegistries(CONFIG, systemClock())
  const [registry] = registries.registryFor(parseReference(`${server.host}/x`), credentials)
  assert.ok(registry)
  await work(registry, server)
}

test('Bearer: the token is asked for once for each scope, and credentials go to the token server alone', async () => {
  const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`
  const answer: Answer = (request, reply) => {
    const url = new URL(request.url ?? '', 'http://x')
    if (url.pathname === '/token') {
      reply.end(JSON.stringify({ token: `for ${url.searchParams.get('scope')}`, expires_in: 300 }))
    } else if (request.headers.authorization?.startsWith('Bearer for ')) {
      reply.end('{"tags":["a"]}')
    } else {
      const realm = `http://${request.headers.host}/token`
      reply
        .writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s",scope="repository:x:pull"` })
        .end()
    }
  }
  await withScripted(
    answer,
    async (registry, server) => {
      assert.deepEqual(await registry.tags('x'), ['a'])
      assert.deepEqual(await registry.tags('x'), ['a'])
      const asked = server.seen.filter((line) => !line.startsWith('GET /v2/ '))
      assert.deepEqual(asked, [
        'GET /v2/x/tags/list?n=1000 -',
        `GET /token?service=s&scope=repository%3Ax%3Apull&account=me ${basic}`,
        'GET /v2/x/tags/list?n=1000 Bearer for repository:x:pull',
        'GET /v2/x/tags/list?n=1000 Bearer for repository:x:pull',
      ])
    },
    { username: 'me', password: 'secret' },
  )
})

test('a loop of 401 ends with unauthorized', async () => {
  const answer: Answer = (_, reply) => reply.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
  await withScripted(answer, async (registry) => {
    await assert.rejects(registry.tags('x'), { kind: 'unauthorized', message: /no basic auth credentials/ })
  })
  await withScripted(
    answer,
    async (registry, server) => {
      await assert.rejects(
        registry.tags('x'),
        (error) => isKind(error, 'unauthorized') && !error.message.includes('secret'),
      )
      await assert.rejects(registry.tags('x'), { kind: 'unauthorized' })
      assert.ok(server.seen.length <= 5, server.seen.join('\n'))
    },
    { username: 'me', password: 'secret' },
  )
})

test('a redirect to another host carries no credentials, and that host cannot ask for them', async () => {
  const trap: Answer = (request, reply) => {
    if (request.url === '/open') reply.end(LAYER_BYTES)
    else reply.writeHead(401, { 'www-authenticate': `Basic realm="x"` }).end()
  }
  await using other = await scripted(trap)
  let path = '/open'
  const answer: Answer = (request, reply) => {
    if (request.headers.authorization === undefined) {
      reply.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
    } else {
      reply.writeHead(307, { location: `http://${other.host}${path}` }).end()
    }
  }
  await withScripted(
    answer,
    async (registry) => {
      assert.deepEqual(await collect(registry.blob('x', LAYER)), LAYER_BYTES)
      path = '/trap'
      await assert.rejects(collect(registry.blob('x', LAYER)), { kind: 'unauthorized' })
    },
    { username: 'me', password: 'secret' },
  )
  assert.deepEqual(other.seen, ['GET /open -', 'GET /trap -'])
})

test('a busy registry gets patience: 429 with Retry-After, then 503, then the answer', async () => {
  let count = 0
  const answer: Answer = (_, reply) => {
    count += 1
    if (count === 1) reply.writeHead(429, { 'retry-after': '0' }).end()
    else if (count === 2) reply.writeHead(503).end('busy')
    else reply.end('{"tags":[]}')
  }
  await withScripted(answer, async (registry) => {
    assert.deepEqual(await registry.tags('x'), [])
    assert.equal(count, 3)
  })
  const never: Answer = (_, reply) =>
    reply.writeHead(429, { 'retry-after': '999' }).end('{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}')
  await withScripted(never, async (registry) => {
    await assert.rejects(registry.tags('x'), { kind: 'unavailable', message: 'toomanyrequests: slow down' })
  })
})

test('Retry-After may be a date', async () => {
  let count = 0
  const answer: Answer = (_, reply) => {
    count += 1
    if (count === 1) reply.writeHead(429, { 'retry-after': new Date(Date.now() - 5000).toUTCString() }).end()
    else reply.end('{"tags":["a"]}')
  }
  await withScripted(answer, async (registry) => assert.deepEqual(await registry.tags('x'), ['a']))
})

test('credentials for docker.io are not shown to a mirror that asks for some', async () => {
  const ask: Answer = (_, reply) => reply.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
  await using mirror = await scripted(ask)
  const config = { ...CONFIG, mirrors: [`http://${mirror.host}`] }
  await using registries = createRegistries(config, systemClock())
  const account = { username: 'me', password: 'secret' }
  const [first, own] = registries.registryFor(parseReference('x'), account)
  assert.ok(first)
  assert.equal(own?.address, 'registry-1.docker.io')
  await assert.rejects(first.tags('library/x'), { kind: 'unauthorized' })
  await assert.rejects(registries.search('x', { limit: 1, credentials: account }))
  assert.ok(mirror.seen.length > 1)
  assert.deepEqual(
    mirror.seen.filter((line) => !line.endsWith(' -')),
    [],
  )
})

test('a search is answered by the host it names, and refused where that offers none', async () => {
  const rows = [{ name: 'a/x', description: 'says', star_count: 3, is_official: true }, { name: 'b/x' }]
  const answer: Answer = (request, reply) => {
    if (request.url === '/v1/search?q=x+y&n=2') reply.end(JSON.stringify({ results: rows }))
    else reply.writeHead(404).end()
  }
  await using server = await scripted(answer)
  await using registries = createRegistries(CONFIG, systemClock())
  assert.deepEqual(await registries.search(`${server.host}/x y`, { limit: 2 }), [
    { name: 'a/x', description: 'says', stars: 3, official: true, automated: false },
    { name: 'b/x', description: '', stars: 0, official: false, automated: false },
  ])
  await assert.rejects(registries.search(`${server.host}/z`, { limit: 2 }), {
    kind: 'unsupported',
    message: `cannot search at ${server.host}: it offers no search (Unexpected status code 404)`,
  })
})

const BAD_BLOBS: readonly (readonly [string, Answer, string])[] = [
  ['is longer than promised', (_, reply) => void reply.write(Buffer.concat([LAYER_BYTES, LAYER_BYTES])), 'corrupt'],
  ['says another length', (_, reply) => reply.end('short'), 'corrupt'],
  [
    'is cut',
    (_, reply) => {
      reply.writeHead(200, { 'content-length': LAYER_BYTES.length })
      reply.write(LAYER_BYTES.subarray(0, 1000), () => reply.destroy())
    },
    'unavailable',
  ],
  [
    'ends early without a length',
    (_, reply) => {
      reply.write(LAYER_BYTES.subarray(0, 1000))
      reply.end()
    },
    'unavailable',
  ],
]

for (const [what, answer, kind] of BAD_BLOBS) {
  test(`a blob that ${what} ends in ${kind}`, async () => {
    await withScripted(answer, async (registry) => {
      await assert.rejects(collect(registry.blob('x', LAYER)), { kind })
    })
  })
}

test('a range that is ignored, or another than asked for, is refused', async () => {
  await withScripted(
    (_, reply) => reply.end(LAYER_BYTES),
    async (registry) => {
      await assert.rejects(collect(registry.blob('x', LAYER, 10)), { kind: 'unsupported' })
    },
  )
  const shifted: Answer = (_, reply) => {
    const range = `bytes 11-${LAYER_BYTES.length - 1}/${LAYER_BYTES.length}`
    reply.writeHead(206, { 'content-range': range }).end(LAYER_BYTES.subarray(11))
  }
  await withScripted(shifted, async (registry) => {
    await assert.rejects(collect(registry.blob('x', LAYER, 10)), { kind: 'unsupported' })
  })
})

test('a manifest with other bytes than its digest is refused', async () => {
  const answer: Answer = (_, reply) => {
    reply.writeHead(200, { 'content-type': MANIFEST.mediaType, 'docker-content-digest': digestOf(MANIFEST_BYTES) })
    reply.end(Buffer.from(MANIFEST_BYTES.toString().replace('"size"', '"Size"')))
  }
  await withScripted(answer, async (registry) => {
    await assert.rejects(registry.resolve(parseReference('x')), { kind: 'corrupt' })
    await assert.rejects(registry.manifest('x', describe(MANIFEST.mediaType, MANIFEST_BYTES)), { kind: 'corrupt' })
  })
})

const ERRORS = [
  [403, 'DENIED', `pull access denied for x, repository does not exist or may require 'docker login': denied: no`],
  [404, 'NAME_UNKNOWN', 'repository x not found: name unknown: no'],
  [404, 'MANIFEST_UNKNOWN', 'manifest for x:1 not found: manifest unknown: no'],
] as const

for (const [status, code, message] of ERRORS) {
  test(`resolve() turns ${code} into the words of Docker`, async () => {
    const answer: Answer = (_, reply) =>
      reply.writeHead(status).end(JSON.stringify({ errors: [{ code, message: 'no' }] }))
    await withScripted(answer, async (registry) => {
      await assert.rejects(registry.resolve(parseReference('x:1')), { kind: 'not-found', message })
    })
  })
}

test('nobody there, and a caller who left, are told apart', async () => {
  await using registries = createRegistries({ ...CONFIG, mirrors: ['http://127.0.0.1:1'] }, systemClock())
  const [mirror, hub] = registries.registryFor(parseReference('x'))
  assert.equal(mirror?.address, 'http://127.0.0.1:1')
  assert.equal(hub?.address, 'registry-1.docker.io')
  await assert.rejects(mirror.tags('x'), {
    kind: 'unavailable',
    message: 'Get "http://127.0.0.1:1/v2/x/tags/list": dial tcp 127.0.0.1:1: connect: connection refused',
  })
  const hanging: Answer = () => undefined
  await withScripted(hanging, async (registry) => {
    const controller = new AbortController()
    const call = registry.tags('x', controller.signal)
    setTimeout(() => controller.abort(), 20)
    await assert.rejects(call, { kind: 'cancelled' })
  })
})
