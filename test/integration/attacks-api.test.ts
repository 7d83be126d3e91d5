import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { connect, type NetConnectOpts } from 'node:net'
import { after, before, test } from 'node:test'

/* Requests that no client of good will sends: bodies, heads, paths, and pages of browsers. */

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let port = 0

before(async () => {
  daemon = await startDaemon({ folder: folder.path, flags: ['-H', 'tcp://127.0.0.1:0'] })
  port = await until('the port is said', () => Number(/tcp:\/\/127\.0\.0\.1:(\d+)/.exec(daemon.log())?.[1] ?? 0))
})

after(async () => {
  await daemon[Symbol.asyncDispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

/** Sends bytes as they are and reads until the daemon ends the connection; the first line's status, and all. */
function raw(
  parts: readonly (string | Buffer)[],
  place: NetConnectOpts = { path: daemon.socket },
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve) => {
    const socket = connect({ ...place, allowHalfOpen: true })
    const chunks: Buffer[] = []
    const end = (): void => {
      socket.destroy()
      const text = Buffer.concat(chunks).toString('latin1')
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text })
    }
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('end', end)
    socket.on('error', end)
    // What is taken for a beginning of something else is not waited for without end.
    socket.setTimeout(10_000, end)
    for (const part of parts) socket.write(part)
  })
}

const CREATE =
  'POST /v1.51/volumes/create HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n'

const withLength = (body: string): readonly string[] => [
  `${CREATE}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`,
  body,
]

const chunked = (body: string): readonly string[] => [
  `${CREATE}Transfer-Encoding: chunked\r\n\r\n`,
  ...(body === '' ? [] : [`${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`]),
  '0\r\n\r\n',
]

/** Bytes of the longest body that is read. */
const LIMIT = 8 << 20

/** A body of that many bytes, with blanks in it. */
const bodyOf = (name: string, size: number): string => `{"Name":"${name}"${' '.repeat(size - 11 - name.length)}}`

test('bodies: none, up to the limit, beyond it, in one piece and in chunks', async () => {
  for (const form of [withLength, chunked]) {
    assert.equal((await raw(form(bodyOf('small', 100)))).status, 201)
    assert.equal((await raw(form(bodyOf('almost', LIMIT - 1)))).status, 201)
    assert.equal((await raw(form(bodyOf('large', LIMIT)))).status, 201)
    const over = await raw(form(bodyOf('over', LIMIT + 1)))
    assert.equal(over.status, 400)
    assert.match(over.text, /request body too large/)
    assert.ok([201, 400].includes((await raw(form(''))).status))
    for (const body of [
      ' ',
      '{',
      'null',
      '[]',
      '"text"',
      '7',
      '{"Name":7}',
      '[['.repeat(1 << 20),
      '{"a":'.repeat(1 << 18),
    ]) {
      const { status, text } = await raw(form(body))
      assert.ok(status === 400 || (body === 'null' && status === 201), `${status} ${text.slice(0, 300)}`)
    }
  }
  assert.equal((await daemon.call('GET', '/volumes/over')).status, 404)
})

test('a head that says two things, or nonsense, is refused and nothing is done', async () => {
  const body = '{"Name":"smuggled"}'
  const heads = [
    'Content-Length: -1\r\n',
    'Content-Length: 19\r\nContent-Length: 20\r\n',
    'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
    'Transfer-Encoding: chunked, gzip\r\n',
    'Content-Length: 19 \u0000\r\n',
    `X: ${'x'.repeat(2 << 20)}\r\nContent-Length: 19\r\n`,
  ]
  for (const head of heads) {
    const { status } = await raw([`${CREATE}${head}\r\n`, body])
    assert.ok(status === 0 || (status >= 400 && status < 500), `${status} ${head.slice(0, 60)}`)
  }
  assert.equal((await daemon.call('GET', '/volumes/smuggled')).status, 404)
})

test('one of two equal names counts, and names of objects do no harm', async () => {
  assert.equal((await raw(withLength('{"Name":"first","Name":"second"}'))).status, 201)
  assert.equal((await daemon.call('GET', '/volumes/second')).status, 200)
  assert.equal((await daemon.call('GET', '/volumes/first')).status, 404)
  await raw(
    withLength('{"Name":"plain","__proto__":{"Driver":"evil"},"constructor":{"prototype":{"Labels":{"a":"b"}}}}'),
  )
  const { text } = await daemon.call('GET', '/volumes/plain')
  assert.doesNotMatch(text, /evil|"a":/)
})

test('numbers that are none, or no machine has, are refused or do no harm', async () => {
  const create = (host: string): ReturnType<typeof raw> => {
    const body = `{"Image":"none","Cmd":["true"],"HostConfig":${host}}`
    const head = CREATE.replace('/volumes/create', '/containers/create')
    return raw([`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`, body])
  }
  for (const number of [
    '1e999',
    '-1',
    '1.5',
    '9223372036854775808',
    '1'.repeat(100_000),
    '"7"',
    'NaN',
    '0x10',
    '01',
    '[1]',
  ]) {
    const { status, text } = await create(`{"ShmSize":${number}}`)
    // An image that is not there is what an ordinary number is told.
    assert.ok(status === 400 || status === 404, `${number.slice(0, 20)} ${status} ${text.slice(0, 300)}`)
    assert.doesNotMatch(text, /stack|RangeError|TypeError/)
  }
  assert.match((await create('{"ShmSize":67108864}')).text, /No such image: none/)
  const privileged = ['{"Privileged":"true"}', '{"privileged":1}', '{"Privileged":[true]}', '{"CapAdd":"ALL"}']
  for (const host of privileged) assert.equal((await create(host)).status, 400, host)
})

test('paths are taken as they are: no form of a path reaches what the plain one does not', async () => {
  const paths = [
    '//_ping/../info',
    '/v1.51/../v1.51/info',
    '/v1.51/containers/..%2f..%2fetc/json',
    '/v1.51/containers/%00/json',
    '/v1.51/containers/%ff/json',
    '/v1.51/volumes/..%2F..%2Fetc',
    '/v1.51/volumes/%2e%2e',
    '/v1.51/images/..%2f..%2fetc%2fpasswd/json',
    '/v1.51/exec/../containers/json',
    'http://evil.example/info/..',
  ]
  for (const path of paths) {
    const { status } = await raw([`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`])
    // 301: told where the plain one is, and nothing done
    assert.ok(status === 301 || (status >= 400 && status < 500), `${path} ${status}`)
  }
  const plain = await raw(['GET /v1.51/info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'])
  assert.equal(plain.status, 200)
})

test('over TCP a foreign host or origin is refused; over the loopback docker’s client works as ever', async () => {
  const ask = async (request: string, headers: string): Promise<number> => {
    const head = `${request} HTTP/1.1\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`
    return (await raw([head], { port, host: '127.0.0.1' })).status
  }
  const own = `Host: 127.0.0.1:${port}\r\n`
  const foreign = [
    'Host: rebound.example\r\n',
    `Host: 127.0.0.1.rebound.example:${port}\r\n`,
    'Host: 169.254.169.254\r\n',
    'Host: \r\n',
    `${own}Origin: http://page.example\r\n`,
    `${own}Origin: null\r\n`,
    `${own}Origin: http://localhost.page.example\r\n`,
    `${own}Origin: file://\r\n`,
  ]
  for (const headers of foreign) {
    for (const request of ['GET /info', 'GET /_ping', 'POST /volumes/create', 'OPTIONS /info', 'GET /nowhere'])
      assert.equal(await ask(request, headers), 403, `${request} ${headers}`)
    const upgrade = `${headers}Upgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n`
    assert.equal(await ask('GET /containers/x/attach/ws', upgrade), 403, headers)
  }
  for (const headers of [
    own,
    `Host: localhost:${port}\r\n`,
    `Host: [::1]\r\n`,
    `${own}Origin: http://localhost:3000\r\n`,
  ])
    assert.equal(await ask('GET /info', headers), 200, headers)
  using docker = dockerClient(`tcp://127.0.0.1:${port}`)
  assert.equal(await docker.ok('version', '--format', '{{.Server.Os}}'), 'linux')
})

test('a question changes nothing, and what nobody knows is not found', async () => {
  const before = (await daemon.call('GET', '/volumes')).text
  for (const path of [
    '/volumes/create',
    '/containers/create',
    '/containers/prune',
    '/volumes/prune',
    '/images/create',
    '/build',
  ])
    assert.ok([404, 405].includes((await daemon.call('GET', `/v1.51${path}`)).status), path)
  assert.equal((await daemon.call('GET', '/volumes')).text, before)
})
