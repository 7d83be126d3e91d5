import { digestOf, MEDIA_TYPES } from '#oci'
import { ABSENT, asManifest, EMPTY, pushImage, runCases, type HubCase, type TestHub } from '#test/hub'
import { ownMountNamespace } from '#test/mount-namespace'
import assert from 'node:assert/strict'
import { test } from 'node:test'

ownMountNamespace()

/** Begins an upload; its place. */
async function begin(hub: TestHub, name: string): Promise<string> {
  const begun = await hub.ask('POST', `/v2/${name}/blobs/uploads/`)
  assert.equal(begun.status, 202)
  return begun.header('location')
}

const PUSH: readonly HubCase[] = [
  {
    section: 'POST then PUT',
    name: 'a blob in one piece; nothing is there before, all is after',
    async check(hub) {
      const digest = digestOf('in one piece')
      const place = await begin(hub, 'push/one')
      assert.equal((await hub.ask('HEAD', `/v2/push/one/blobs/${digest}`)).status, 404)
      const put = await hub.ask('PUT', `${place}?digest=${digest}`, { body: 'in one piece' })
      assert.equal(put.status, 201)
      assert.equal(put.header('location'), `/v2/push/one/blobs/${digest}`)
      assert.equal(put.header('docker-content-digest'), digest)
      assert.equal((await hub.ask('GET', put.header('location'))).text, 'in one piece')
    },
  },
  {
    section: 'Single POST',
    name: 'a blob with the first request',
    async check(hub) {
      const digest = digestOf('at once')
      const post = await hub.ask('POST', `/v2/push/two/blobs/uploads/?digest=${digest}`, { body: 'at once' })
      assert.deepEqual([post.status, post.header('location')], [201, `/v2/push/two/blobs/${digest}`])
      assert.equal((await hub.ask('GET', `/v2/push/two/blobs/${digest}`)).text, 'at once')
    },
  },
  {
    section: 'Pushing a blob in chunks',
    name: 'each chunk is told how far it came; the last may come with the PUT',
    async check(hub) {
      const place = await begin(hub, 'push/three')
      const first = await hub.ask('PATCH', place, { body: 'abc', headers: { 'content-range': '0-2' } })
      assert.deepEqual([first.status, first.header('range')], [202, '0-2'])
      const second = await hub.ask('PATCH', first.header('location'), {
        body: 'de',
        headers: { 'content-range': '3-4' },
      })
      assert.deepEqual([second.status, second.header('range')], [202, '0-4'])
      const digest = digestOf('abcdef')
      const query = `?digest=${digest}`
      const last = { body: 'f', headers: { 'content-range': '5-5' } }
      assert.equal((await hub.ask('PUT', second.header('location') + query, last)).status, 201)
      assert.equal((await hub.ask('GET', `/v2/push/three/blobs/${digest}`)).text, 'abcdef')
    },
  },
  {
    section: 'Pushing a blob in chunks',
    name: 'a chunk out of order is 416 with the state; GET tells it too, and the upload goes on',
    async check(hub) {
      const place = await begin(hub, 'push/four')
      await hub.ask('PATCH', place, { body: 'abc', headers: { 'content-range': '0-2' } })
      for (const range of ['5-7', '0-2']) {
        const wrong = await hub.ask('PATCH', place, { body: 'xyz', headers: { 'content-range': range } })
        assert.deepEqual([wrong.status, wrong.code], [416, 'BLOB_UPLOAD_INVALID'])
        assert.equal(wrong.header('range'), '0-2')
      }
      const state = await hub.ask('GET', place)
      assert.deepEqual([state.status, state.header('range'), state.header('location')], [204, '0-2', place])
      const end = await hub.ask('PUT', `${place}?digest=${digestOf('abc')}`)
      assert.equal(end.status, 201)
    },
  },
  {
    section: 'Pushing a blob in chunks',
    name: 'ranges that say nothing or do not fit their length are refused',
    async check(hub) {
      const place = await begin(hub, 'push/five')
      const nonsense = await hub.ask('PATCH', place, { body: 'abc', headers: { 'content-range': 'all of it' } })
      assert.deepEqual([nonsense.status, nonsense.code], [400, 'BLOB_UPLOAD_INVALID'])
      const short = await hub.ask('PATCH', place, { body: 'abc', headers: { 'content-range': '0-9' } })
      assert.deepEqual([short.status, short.code], [400, 'SIZE_INVALID'])
    },
  },
  {
    section: 'Pushing blobs',
    name: 'a wrong digest is DIGEST_INVALID and leaves nothing; the session is over',
    async check(hub) {
      const place = await begin(hub, 'push/six')
      const wrong = await hub.ask('PUT', `${place}?digest=${ABSENT}`, { body: 'something else' })
      assert.deepEqual([wrong.status, wrong.code], [400, 'DIGEST_INVALID'])
      assert.equal((await hub.ask('HEAD', `/v2/push/six/blobs/${ABSENT}`)).status, 404)
      assert.equal((await hub.ask('HEAD', `/v2/push/six/blobs/${digestOf('something else')}`)).status, 404)
      assert.equal((await hub.ask('GET', place)).code, 'BLOB_UPLOAD_UNKNOWN')
      for (const digest of ['', 'sha256:zz', `sha512:${'0'.repeat(128)}`]) {
        const refused = await hub.ask('PUT', `${await begin(hub, 'push/six')}?digest=${digest}`, { body: 'x' })
        assert.deepEqual([refused.status, refused.code], [400, 'DIGEST_INVALID'])
      }
    },
  },
  {
    section: 'Canceling a blob push',
    name: 'DELETE ends the session; an unknown one is BLOB_UPLOAD_UNKNOWN; another repository cannot use it',
    async check(hub) {
      const place = await begin(hub, 'push/seven')
      const other = place.replace('push/seven', 'push/eight')
      assert.equal((await hub.ask('PATCH', other, { body: 'x' })).code, 'BLOB_UPLOAD_UNKNOWN')
      assert.equal((await hub.ask('DELETE', place)).status, 204)
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
        const reply = await hub.ask(method, `${place}?digest=${ABSENT}`, method === 'PATCH' ? { body: 'x' } : {})
        assert.deepEqual([reply.status, reply.code], [404, 'BLOB_UPLOAD_UNKNOWN'], method)
      }
    },
  },
  {
    section: 'Mounting a blob from another repository',
    name: '201 where it is there, else a session',
    async check(hub) {
      const digest = await hub.putBlob('push/source', 'to be mounted')
      const path = '/v2/push/target/blobs/uploads/'
      const mounted = await hub.ask('POST', `${path}?mount=${digest}&from=push/source`)
      assert.deepEqual([mounted.status, mounted.header('location')], [201, `/v2/push/target/blobs/${digest}`])
      assert.equal((await hub.ask('GET', `/v2/push/target/blobs/${digest}`)).text, 'to be mounted')
      const absent = await hub.ask('POST', `${path}?mount=${ABSENT}&from=push/source`)
      assert.equal(absent.status, 202)
      assert.equal((await hub.ask('POST', `${path}?mount=${digest}`)).status, 202)
      assert.equal((await hub.ask('POST', `${path}?mount=${digest}&from=../x`)).code, 'NAME_INVALID')
    },
  },
  {
    section: 'Pushing Manifests',
    name: 'by tag and by digest; a tag moves; a manifest of Docker keeps its type',
    async check(hub) {
      const one = await pushImage(hub, 'push/image', 'v1')
      const again = await hub.ask('PUT', `/v2/push/image/manifests/${one.digest}`, asManifest(one.bytes))
      assert.deepEqual([again.status, again.header('docker-content-digest')], [201, one.digest])
      const docker = one.bytes.replaceAll(MEDIA_TYPES.ociManifest, MEDIA_TYPES.dockerManifest)
      const moved = await hub.ask('PUT', '/v2/push/image/manifests/v1', asManifest(docker, MEDIA_TYPES.dockerManifest))
      assert.deepEqual([moved.status, moved.header('location')], [201, `/v2/push/image/manifests/${digestOf(docker)}`])
      const found = await hub.ask('GET', '/v2/push/image/manifests/v1')
      assert.deepEqual([found.text, found.header('content-type')], [docker, MEDIA_TYPES.dockerManifest])
      assert.equal((await hub.ask('GET', `/v2/push/image/manifests/${one.digest}`)).text, one.bytes)
    },
  },
  {
    section: 'Pushing Manifests',
    name: 'what cannot be kept is refused with its code, and nothing of it is seen',
    async check(hub) {
      const { bytes, digest } = await pushImage(hub, 'push/bad', 'v1')
      const put = (text: string, type?: string, tag = 'v2') =>
        hub.ask('PUT', `/v2/push/bad/manifests/${tag}`, asManifest(text, type))
      const absent = bytes.replace(digestOf(EMPTY), ABSENT)
      const schema1 = '{"schemaVersion":1,"fsLayers":[]}'
      const both = JSON.stringify({ ...JSON.parse(bytes), manifests: [] })
      const cases = [
        [await put(absent), 404, 'MANIFEST_BLOB_UNKNOWN'],
        [await put('no json'), 400, 'MANIFEST_INVALID'],
        [await put('[]'), 400, 'MANIFEST_INVALID'],
        [await put(bytes, MEDIA_TYPES.ociIndex), 400, 'MANIFEST_INVALID'],
        [await put(both), 400, 'MANIFEST_INVALID'],
        [await put(schema1, MEDIA_TYPES.dockerSchema1), 400, 'MANIFEST_INVALID'],
        [await put(bytes.replace('sha256:', 'sha512:')), 400, 'MANIFEST_INVALID'],
        [await put(bytes, MEDIA_TYPES.ociManifest, '-bad'), 400, 'MANIFEST_INVALID'],
        [await put(bytes, MEDIA_TYPES.ociManifest, ABSENT), 400, 'DIGEST_INVALID'],
        [await put(`{"a":"${'x'.repeat(4 << 20)}"}`), 413, 'MANIFEST_INVALID'],
      ] as const
      for (const [reply, status, code] of cases)
        assert.deepEqual([reply.status, reply.code], [status, code], reply.text)
      assert.equal((await hub.ask('GET', '/v2/push/bad/manifests/v2')).status, 404)
      assert.equal((await hub.ask('GET', '/v2/push/bad/manifests/v1')).header('docker-content-digest'), digest)
    },
  },
  {
    section: 'Pushing Manifests',
    name: 'an index needs its manifests; artifacts of any kind and foreign layers are kept',
    async check(hub) {
      const one = await pushImage(hub, 'push/index', 'v1')
      const entry = { mediaType: MEDIA_TYPES.ociManifest, digest: one.digest, size: one.bytes.length }
      const indexOf = (manifests: readonly object[]) =>
        JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests })
      const path = '/v2/push/index/manifests/all'
      const lacking = await hub.ask(
        'PUT',
        path,
        asManifest(indexOf([{ ...entry, digest: ABSENT }]), MEDIA_TYPES.ociIndex),
      )
      assert.deepEqual([lacking.status, lacking.code], [404, 'MANIFEST_BLOB_UNKNOWN'])
      const whole = indexOf([entry])
      assert.equal((await hub.ask('PUT', path, asManifest(whole, MEDIA_TYPES.ociIndex))).status, 201)
      assert.equal((await hub.ask('GET', path)).text, whole)
      const artifact = JSON.parse(one.bytes)
      artifact.artifactType = 'application/vnd.example'
      artifact.layers = [
        {
          mediaType: MEDIA_TYPES.dockerForeignLayer,
          digest: ABSENT,
          size: 3,
          urls: ['https://example.invalid/layer'],
        },
      ]
      const kept = await hub.ask('PUT', '/v2/push/index/manifests/art', asManifest(JSON.stringify(artifact)))
      assert.equal(kept.status, 201, kept.text)
    },
  },
]

test('pushing to the registry that mica serves is as the distribution specification asks', (context) =>
  runCases(context, PUSH))
