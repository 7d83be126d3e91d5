import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve } from '#test/serving'
import { parseTarget } from './target.ts'

test('parseTarget() parts version, path and query', () => {
  assert.deepEqual(parseTarget('/v1.43/containers/json?all=1'), {
    path: '/containers/json',
    version: '1.43',
    search: 'all=1',
  })
  assert.deepEqual(parseTarget('/_ping'), { path: '/_ping', version: undefined, search: '' })
})

/** As Docker 28.5 answers them, where no slash is encoded. */
for (const [asked, elsewhere] of [
  ['//_ping', '/_ping'],
  ['//v1.51/info', '/v1.51/info'],
  ['/containers/../_ping', '/_ping'],
  ['//x//../_ping?a=b', '/_ping?a=b'],
  ['/containers/%2e%2e/json', '/json'],
  ['/a//%20%C3%A4!(b)?x=%2F//', '/a/%20%C3%A4%21%28b%29?x=%2F//'],
  ['/a//', '/a/'],
  ['/a/b/..', '/a'],
  ['/a/b/../', '/a/'],
  ['/a/.', '/a'],
  ['/..', '/'],
  ['//', '/'],
  ['/...//a', '/.../a'],
  ["/x//a'*:;,=@$&+~[]^%25", '/x/a%27%2A:;,=@$&+~%5B%5D%5E%25'],
  ['/a//%0d%0ax', '/a/%0D%0Ax'],
  ['/containers/.a/json', undefined],
  ['/containers/a%2Fb/json', undefined],
  ['/containers/a%2eb/json', undefined],
  ['/a/%2F/b', undefined],
  ['/containers/a%2F..%2Fb/json', undefined],
  ['/a//b%2F..', '/a/b%2F..'],
  ['/a//%', undefined],
  ['/_ping?a=//', undefined],
  ['*', undefined],
] as const) {
  test(`parseTarget() sends ${asked} to ${elsewhere ?? 'nowhere else'}`, () =>
    assert.equal(parseTarget(asked).elsewhere, elsewhere))
}

test('a path that is not clean is moved, whatever it asks for, and OPTIONS is always answered', async () => {
  let asked = 0
  await using served = await serve([
    { method: 'GET', pattern: '/of/{name}', isSmall: true, handle: ({ reply }) => reply(200, (asked += 1)) },
    { method: 'POST', pattern: '/of/{name}', handle: ({ reply }) => reply(200, (asked += 1)) },
  ])
  for (const method of ['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT']) {
    const { status, headers, text } = await served.call('/of/%2E%2E?a=1', { method })
    assert.deepEqual([status, headers['location'], headers['content-length'], text], [301, '/?a=1', '0', ''], method)
  }
  for (const path of ['/of/x', '/v1.44/nowhere', '*']) {
    const { status, headers, text } = await served.call(path, { method: 'OPTIONS' })
    assert.deepEqual([status, headers['content-length'], headers['api-version'], text], [200, '0', '1.51', ''], path)
  }
  assert.match((await served.call('/v1.99/x', { method: 'OPTIONS' })).text, /is too new/)
  assert.equal(asked, 0)
})
