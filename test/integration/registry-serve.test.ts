import { MEDIA_TYPES } from '#oci'
import { ABSENT, asManifest, openTestHub, pushImage, runCases, type HubCase } from '#test/hub'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'

ownMountNamespace()

const PULL: readonly HubCase[] = [
  {
    section: 'Determining Support',
    name: 'GET /v2/ answers 200',
    async check({ ask }) {
      for (const path of ['/v2/', '/v2']) {
        const reply = await ask('GET', path)
        assert.equal(reply.status, 200)
        assert.equal(reply.header('docker-distribution-api-version'), 'registry/2.0')
      }
      assert.equal((await ask('GET', '/v3/')).status, 404)
    },
  },
  {
    section: 'Determining Support',
    name: 'a web page is refused, and no reply lets one read it',
    async check({ ask }) {
      const reply = await ask('GET', '/v2/', { headers: { origin: 'http://example.invalid' } })
      assert.deepEqual([reply.status, reply.code], [403, 'DENIED'])
      assert.equal(reply.header('access-control-allow-origin'), '')
    },
  },
  {
    section: 'Pulling manifests',
    name: 'by tag and by digest, GET and HEAD, with type, length and digest',
    async check(hub) {
      const { digest, bytes } = await pushImage(hub, 'pull/one', 'v1')
      for (const reference of ['v1', digest]) {
        const [get, head] = [
          await hub.ask('GET', `/v2/pull/one/manifests/${reference}`),
          await hub.ask('HEAD', `/v2/pull/one/manifests/${reference}`),
        ]
        assert.equal(get.text, bytes)
        assert.equal(head.bytes.length, 0)
        for (const reply of [get, head]) {
          assert.equal(reply.status, 200)
          assert.equal(reply.header('content-type'), MEDIA_TYPES.ociManifest)
          assert.equal(reply.header('docker-content-digest'), digest)
          assert.equal(reply.header('content-length'), String(bytes.length))
        }
      }
    },
  },
  {
    section: 'Pulling manifests',
    name: 'what is not there is 404 with the code that says what is unknown',
    async check(hub) {
      await pushImage(hub, 'pull/two', 'v1')
      const codes = {
        '/v2/pull/two/manifests/other': 'MANIFEST_UNKNOWN',
        [`/v2/pull/two/manifests/${ABSENT}`]: 'MANIFEST_UNKNOWN',
        '/v2/pull/two/manifests/.INVALID': 'MANIFEST_UNKNOWN',
        '/v2/pull/nobody/manifests/v1': 'NAME_UNKNOWN',
        [`/v2/pull/two/blobs/${ABSENT}`]: 'BLOB_UNKNOWN',
        '/v2/pull/nobody/tags/list': 'NAME_UNKNOWN',
      }
      for (const [path, code] of Object.entries(codes)) {
        const reply = await hub.ask('GET', path)
        assert.deepEqual([reply.status, reply.code], [404, code], path)
        assert.equal((await hub.ask('HEAD', path)).status, 404)
      }
    },
  },
  {
    section: 'Pulling blobs',
    name: 'GET and HEAD; a blob of another repository is not this one’s',
    async check(hub) {
      const { layer } = await pushImage(hub, 'pull/three', 'v1')
      const get = await hub.ask('GET', `/v2/pull/three/blobs/${layer}`)
      assert.deepEqual([get.status, get.text], [200, 'layer of pull/three:v1'])
      assert.equal(get.header('docker-content-digest'), layer)
      const head = await hub.ask('HEAD', `/v2/pull/three/blobs/${layer}`)
      assert.deepEqual([head.status, head.header('content-length')], [200, String(get.bytes.length)])
      assert.equal((await hub.ask('GET', `/v2/pull/one/blobs/${layer}`)).status, 404)
    },
  },
  {
    section: 'Pulling blobs',
    name: 'ranges (RFC 9110): 206 with its place, 416 beyond the end, the whole for what is no single range',
    async check(hub) {
      const layer = await hub.putBlob('pull/range', '0123456789')
      const cases = [
        ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
        ['bytes=7-', 206, '789', 'bytes 7-9/10'],
        ['bytes=-3', 206, '789', 'bytes 7-9/10'],
        ['bytes=8-99', 206, '89', 'bytes 8-9/10'],
        ['bytes=10-', 416, undefined, 'bytes */10'],
        ['bytes=4-2', 200, '0123456789', ''],
        ['bytes=0-1,3-4', 200, '0123456789', ''],
        ['lines=1-2', 200, '0123456789', ''],
      ] as const
      for (const [range, status, text, place] of cases) {
        const reply = await hub.ask('GET', `/v2/pull/range/blobs/${layer}`, { headers: { range } })
        assert.equal(reply.status, status, range)
        if (text !== undefined) assert.equal(reply.text, text, range)
        assert.equal(reply.header('content-range'), place, range)
      }
    },
  },
  {
    section: 'Pulling',
    name: 'names and digests that cannot be are 400, and lead to no file',
    async check({ ask }) {
      const codes = {
        '/v2/a/../../etc/manifests/x': 'NAME_INVALID',
        '/v2/..%2f..%2fetc/manifests/x': 'NAME_INVALID',
        '/v2/Upper/manifests/x': 'NAME_INVALID',
        '/v2/a//b/tags/list': 'NAME_INVALID',
        '/v2/a__b__/tags/list': 'NAME_INVALID',
        [`/v2/${'a/'.repeat(130)}a/tags/list`]: 'NAME_INVALID',
        '/v2/a/blobs/sha256:abc': 'DIGEST_INVALID',
        '/v2/a/blobs/passwd': 'DIGEST_INVALID',
        [`/v2/a/blobs/sha512:${'0'.repeat(128)}`]: 'DIGEST_INVALID',
        '/v2/a/manifests/sha256:..%2f..%2fx': 'DIGEST_INVALID',
        '/v2/a/referrers/latest': 'DIGEST_INVALID',
      }
      for (const [path, code] of Object.entries(codes)) {
        const reply = await ask('GET', path)
        assert.deepEqual([reply.status, reply.code], [400, code], path)
      }
    },
  },
]

const DISCOVERY: readonly HubCase[] = [
  {
    section: 'Listing Tags',
    name: 'sorted, in pages by n and last, each with a Link to the next',
    async check(hub) {
      for (const tag of ['b', 'a', 'D', 'c']) await pushImage(hub, 'tags/one', tag)
      const all = await hub.ask('GET', '/v2/tags/one/tags/list')
      assert.deepEqual(JSON.parse(all.text), { name: 'tags/one', tags: ['D', 'a', 'b', 'c'] })
      const seen: string[] = []
      for (let path = '/v2/tags/one/tags/list?n=3'; path !== '';) {
        const page = await hub.ask('GET', path)
        seen.push(JSON.parse(page.text).tags.join(' '))
        path = /^<(.+)>; rel="next"$/.exec(page.header('link'))?.[1] ?? ''
      }
      assert.deepEqual(seen, ['D a b', 'c'])
      assert.deepEqual(JSON.parse((await hub.ask('GET', '/v2/tags/one/tags/list?last=a')).text).tags, ['b', 'c'])
      assert.deepEqual(JSON.parse((await hub.ask('GET', '/v2/tags/one/tags/list?n=0')).text).tags, [])
      assert.equal((await hub.ask('GET', '/v2/tags/one/tags/list?n=many')).status, 400)
    },
  },
  {
    section: 'Catalog',
    name: 'repositories, in pages',
    async check(hub) {
      await pushImage(hub, 'catalog/a', 'v1')
      await pushImage(hub, 'catalog/b', 'v1')
      const page = await hub.ask('GET', '/v2/_catalog?n=1&last=cat')
      assert.deepEqual(JSON.parse(page.text), { repositories: ['catalog/a'] })
      const next = /^<(.+)>; rel="next"$/.exec(page.header('link'))?.[1] ?? ''
      assert.deepEqual(JSON.parse((await hub.ask('GET', next)).text), { repositories: ['catalog/b'] })
    },
  },
  {
    section: 'Listing Referrers',
    name: 'an index of what is about a manifest, also before that is there; artifactType filters and says so',
    async check(hub) {
      const name = 'referrers/one'
      const none = await hub.ask('GET', `/v2/${name}/referrers/${ABSENT}`)
      assert.deepEqual([none.status, none.header('content-type')], [200, MEDIA_TYPES.ociIndex])
      assert.deepEqual(JSON.parse(none.text).manifests, [])
      const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: ABSENT, size: 3 }
      const notes = { 'org.example.note': 'one' }
      const one = await pushImage(hub, name, 'sig', { subject, artifactType: 'a/one', annotations: notes })
      await pushImage(hub, name, 'other', { subject })
      const path = `/v2/${name}/referrers/${ABSENT}`
      const all = JSON.parse((await hub.ask('GET', path)).text).manifests
      assert.deepEqual(
        all.map((entry: { artifactType: string }) => entry.artifactType),
        ['a/one', MEDIA_TYPES.ociConfig],
      )
      const some = await hub.ask('GET', `${path}?artifactType=a/one`)
      assert.equal(some.header('oci-filters-applied'), 'artifactType')
      assert.deepEqual(JSON.parse(some.text).manifests, [
        {
          mediaType: MEDIA_TYPES.ociManifest,
          digest: one.digest,
          size: one.bytes.length,
          artifactType: 'a/one',
          annotations: notes,
        },
      ])
      const put = await hub.ask('PUT', `/v2/${name}/manifests/again`, asManifest(one.bytes))
      assert.equal(put.header('oci-subject'), ABSENT)
    },
  },
]

const MANAGEMENT: readonly HubCase[] = [
  {
    section: 'Deleting tags',
    name: 'the tag goes, the manifest stays',
    async check(hub) {
      const { digest } = await pushImage(hub, 'delete/tag', 'v1')
      assert.equal((await hub.ask('DELETE', '/v2/delete/tag/manifests/v1')).status, 202)
      assert.equal((await hub.ask('GET', '/v2/delete/tag/manifests/v1')).status, 404)
      assert.equal((await hub.ask('GET', `/v2/delete/tag/manifests/${digest}`)).status, 200)
      const again = await hub.ask('DELETE', '/v2/delete/tag/manifests/v1')
      assert.deepEqual([again.status, again.code], [404, 'MANIFEST_UNKNOWN'])
    },
  },
  {
    section: 'Deleting Manifests',
    name: 'the manifest goes with its tags',
    async check(hub) {
      const { digest } = await pushImage(hub, 'delete/manifest', 'v1')
      assert.equal((await hub.ask('DELETE', `/v2/delete/manifest/manifests/${digest}`)).status, 202)
      for (const reference of ['v1', digest]) {
        assert.equal((await hub.ask('GET', `/v2/delete/manifest/manifests/${reference}`)).status, 404)
      }
    },
  },
  {
    section: 'Deleting Blobs',
    name: 'a blob that a manifest names stays until that is gone',
    async check(hub) {
      const { digest, layer } = await pushImage(hub, 'delete/blob', 'v1')
      const path = `/v2/delete/blob/blobs/${layer}`
      const refused = await hub.ask('DELETE', path)
      assert.deepEqual([refused.status, refused.code], [405, 'UNSUPPORTED'])
      await hub.ask('DELETE', `/v2/delete/blob/manifests/${digest}`)
      assert.equal((await hub.ask('DELETE', path)).status, 202)
      assert.equal((await hub.ask('GET', path)).status, 404)
      const again = await hub.ask('DELETE', path)
      assert.deepEqual([again.status, again.code], [404, 'BLOB_UNKNOWN'])
    },
  },
  {
    section: 'Endpoints',
    name: 'methods that an endpoint does not have are 405',
    async check({ ask }) {
      for (const [method, path] of [
        ['POST', '/v2/'],
        ['PUT', '/v2/a/tags/list'],
        ['DELETE', '/v2/_catalog'],
        ['POST', '/v2/a/manifests/x'],
        ['GET', '/v2/a/blobs/uploads/'],
      ] as const) {
        const reply = await ask(method, path)
        assert.deepEqual([reply.status, reply.code], [405, 'UNSUPPORTED'], `${method} ${path}`)
      }
    },
  },
]

test('the registry that mica serves does what the distribution specification asks', (context) =>
  runCases(context, [...PULL, ...DISCOVERY, ...MANAGEMENT]))

test(
  'what is pushed outlives collections; what nothing names goes after a day, what is removed at once',
  { timeout: 120_000 },
  async () => {
    using folder = temporary()
    await using stack = new AsyncDisposableStack()
    const hub = await openTestHub(stack, folder.join('store'))
    const { digest, layer } = await pushImage(hub, 'kept', 'v1')
    const loose = await hub.putBlob('kept', randomBytes(100))
    await hub.store.gc.collect()
    assert.equal((await hub.ask('GET', '/v2/kept/manifests/v1')).status, 200)
    assert.equal((await hub.ask('GET', `/v2/kept/blobs/${layer}`)).status, 200)
    assert.equal((await hub.ask('GET', `/v2/kept/blobs/${loose}`)).status, 200)
    hub.store.database.run('UPDATE hub_blob SET used_at = 1')
    await hub.store.gc.collect()
    assert.equal((await hub.ask('GET', `/v2/kept/blobs/${loose}`)).status, 404)
    assert.equal((await hub.ask('GET', `/v2/kept/blobs/${layer}`)).status, 200)
    await hub.ask('DELETE', `/v2/kept/manifests/${digest}`)
    await hub.store.gc.collect()
    assert.deepEqual(await hub.store.content.list(), [])
  },
)

test('collections beside pushes take nothing away', { timeout: 120_000 }, async () => {
  using folder = temporary()
  await using stack = new AsyncDisposableStack()
  const hub = await openTestHub(stack, folder.join('store'))
  const pushes = Promise.all(Array.from({ length: 20 }, (_, index) => pushImage(hub, `many/${index % 4}`, `v${index}`)))
  const over = pushes.then(() => true)
  const soon = (): Promise<false> => new Promise((resolve) => setImmediate(() => resolve(false)))
  for (let isOver = false; !isOver; isOver = await Promise.race([over, soon()])) await hub.store.gc.collect()
  for (const [index, { bytes, layer }] of (await pushes).entries()) {
    assert.equal((await hub.ask('GET', `/v2/many/${index % 4}/manifests/v${index}`)).text, bytes)
    assert.equal((await hub.ask('GET', `/v2/many/${index % 4}/blobs/${layer}`)).status, 200)
  }
})

test('a prune takes manifests that no tag, index or subject leads to', { timeout: 120_000 }, async () => {
  using folder = temporary()
  await using stack = new AsyncDisposableStack()
  const hub = await openTestHub(stack, folder.join('store'))
  const child = await pushImage(hub, 'pruned', 'v1')
  const entry = { mediaType: MEDIA_TYPES.ociManifest, digest: child.digest, size: child.bytes.length }
  const index = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [entry] })
  await hub.ask('PUT', '/v2/pruned/manifests/all', asManifest(index, MEDIA_TYPES.ociIndex))
  await pushImage(hub, 'pruned', 'signature', { subject: entry })
  for (const tag of ['v1', 'signature']) await hub.ask('DELETE', `/v2/pruned/manifests/${tag}`)
  assert.equal(hub.hub.prune({ mirrors: false }), 0)
  await hub.ask('DELETE', '/v2/pruned/manifests/all')
  assert.equal(hub.hub.prune({ mirrors: false }), 3)
  assert.deepEqual(hub.hub.repositories(), [])
})
