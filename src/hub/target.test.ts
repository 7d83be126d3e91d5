import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf } from '#oci'
import { paginate } from './list-routes.ts'
import { readRange } from './blob-routes.ts'
import { parseListen, isLoopback } from './address.ts'
import { parseTarget } from './target.ts'

const DIGEST = digestOf('x')

const PATHS = {
  '/v2': { kind: 'base' },
  '/v2/': { kind: 'base' },
  '/v2/_catalog': { kind: 'catalog' },
  '/v2/a/b/tags/list': { kind: 'tags', repository: 'a/b' },
  '/v2/tags/list/tags/list': { kind: 'tags', repository: 'tags/list' },
  '/v2/a/manifests/v1': { kind: 'manifest', repository: 'a', reference: 'v1' },
  '/v2/a/manifests/manifests/v1': { kind: 'manifest', repository: 'a/manifests', reference: 'v1' },
  [`/v2/a/manifests/${encodeURIComponent(DIGEST)}`]: { kind: 'manifest', repository: 'a', reference: DIGEST },
  [`/v2/a/blobs/${DIGEST}`]: { kind: 'blob', repository: 'a', digest: DIGEST },
  [`/v2/a/blobs/uploads/blobs/${DIGEST}`]: { kind: 'blob', repository: 'a/blobs/uploads', digest: DIGEST },
  '/v2/a/blobs/uploads': { kind: 'uploads', repository: 'a' },
  '/v2/a/blobs/uploads/': { kind: 'uploads', repository: 'a' },
  '/v2/a/blobs/uploads/0f': { kind: 'upload', repository: 'a', id: '0f' },
  [`/v2/a/referrers/${DIGEST}`]: { kind: 'referrers', repository: 'a', digest: DIGEST },
  '/v1/a/tags/list': undefined,
  '/v2/a/tags': undefined,
  '/': undefined,
}

test('parseTarget() tells what a path means', () => {
  for (const [path, target] of Object.entries(PATHS)) assert.deepEqual(parseTarget(path), target, path)
})

for (const name of ['..', '../a', 'a/..', 'A', 'a b', '-a', 'a_', 'a//b', 'a/./b', '%2e%2e', 'a\0b', 'ä']) {
  test(`parseTarget() refuses the repository ${JSON.stringify(name)}`, () => {
    assert.throws(() => parseTarget(`/v2/${name}/tags/list`), { code: 'NAME_INVALID', status: 400 })
  })
}

test('readRange() takes one range of bytes within the blob', () => {
  const of = (header: string | undefined) => readRange(header, { size: 10 })
  assert.deepEqual(of('bytes=0-0'), { start: 0, end: 1 })
  assert.deepEqual(of('bytes=5-'), { start: 5, end: 10 })
  assert.deepEqual(of('bytes=-99'), { start: 0, end: 10 })
  for (const whole of [undefined, '', 'bytes=', 'bytes=-', 'bytes=a-b', 'bytes=0-1,2-3'])
    assert.equal(of(whole), undefined)
  for (const beyond of ['bytes=10-', 'bytes=10-12', 'bytes=-0']) assert.throws(() => of(beyond), { status: 416 })
})

test('paginate() gives each name once, whatever the size of a page', () => {
  const names = ['a', 'b', 'c', 'd', 'e']
  for (let size = 1; size <= 6; size += 1) {
    const seen: string[] = []
    for (let query = new URLSearchParams({ n: String(size) }); ;) {
      const { page, headers } = paginate(names, query, '/x')
      seen.push(...page)
      const next = /\?(.*)>/.exec(headers['link'] ?? '')?.[1]
      if (next === undefined) break
      query = new URLSearchParams(next)
    }
    assert.deepEqual(seen, names)
  }
})

test('parseListen() takes an address with a port, and says which are of this machine alone', () => {
  const loopback = { '127.0.0.1:5000': true, 'localhost:0': true, '[::1]:5': true, ':80': false, '0.0.0.0:80': false }
  for (const [text, is] of Object.entries(loopback)) assert.equal(isLoopback(parseListen(text)), is, text)
  for (const bad of ['', '5000', '127.0.0.1', '127.0.0.1:70000', 'example.org:5000', '127.0.0.1:5000/x', '::1:5000'])
    assert.throws(() => parseListen(bad), { kind: 'invalid' }, bad)
})
