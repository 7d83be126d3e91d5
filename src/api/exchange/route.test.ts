import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRouter, type Route } from './route.ts'

const row = (method: Route['method'], pattern: string): Route => ({ method, pattern, handle: () => undefined })

const router = createRouter([
  row('GET', '/images/json'),
  row('GET', '/images/{name...}/json'),
  row('GET', '/images/get'),
  row('GET', '/images/{name...}/get'),
  row('DELETE', '/images/{name...}'),
  row('GET', '/containers/{id}/json'),
  row('GET', '/_ping'),
  row('GET', '/x.y'),
])

const FOUND: readonly (readonly [string, string, string, Readonly<Record<string, string>>])[] = [
  ['GET', '/images/json', '/images/json', {}],
  ['GET', '/images/busybox/json', '/images/{name...}/json', { name: 'busybox' }],
  ['GET', '/images/localhost:5000/a/b:1/json', '/images/{name...}/json', { name: 'localhost:5000/a/b:1' }],
  ['GET', '/images/json/json', '/images/{name...}/json', { name: 'json' }],
  ['GET', '/images/a%2Fb/json', '/images/{name...}/json', { name: 'a/b' }],
  ['DELETE', '/images/a@sha256:0', '/images/{name...}', { name: 'a@sha256:0' }],
  ['GET', '/containers/a%20b/json', '/containers/{id}/json', { id: 'a b' }],
  ['GET', '/_ping', '/_ping', {}],
]

for (const [method, path, pattern, params] of FOUND) {
  test(`find() takes ${method} ${path} to ${pattern}`, () => {
    const found = router.find(method, path)
    assert.deepEqual([found?.route.pattern, found?.params], [pattern, params])
  })
}

for (const [method, path] of [
  ['POST', '/images/json'],
  ['GET', '/containers/a/b/json'],
  ['GET', '/containers//json'],
  ['GET', '/containers/%/json'],
  ['GET', '/xay'],
  ['GET', '/'],
  ['GET', ''],
  ['GET', '/_ping/'],
] as const) {
  test(`find() knows nothing for ${method} «${path}»`, () => assert.equal(router.find(method, path), undefined))
}
