import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { checkCaller, listenOn, parseListenAddress } from './listener.ts'

const long = `/${'x'.repeat(106)}`

test('parseListenAddress() reads sockets and loopback addresses', () => {
  assert.deepEqual(parseListenAddress('unix:///run/x.sock'), { kind: 'unix', path: '/run/x.sock' })
  assert.deepEqual(parseListenAddress(`unix://${long}`), { kind: 'unix', path: long })
  assert.deepEqual(parseListenAddress('tcp://127.0.0.1:0'), { kind: 'tcp', host: '127.0.0.1', port: 0 })
  assert.deepEqual(parseListenAddress('tcp://[::1]:1'), { kind: 'tcp', host: '::1', port: 1 })
})

for (const [text, why] of [
  [`unix://${long}x`, /at most 107 bytes/],
  [`unix:///${'ä'.repeat(54)}`, /at most 107 bytes/],
  ['tcp://0.0.0.0:2375', /only loopback/],
  ['tcp://10.0.0.1:2375', /only loopback/],
  ['tcp://127.0.0.1.example:2375', /only loopback/],
  ['tcp://127.0.0.1', /must be unix/],
  ['fd://', /must be unix/],
  ['', /must be unix/],
] as const) {
  test(`parseListenAddress() refuses «${text.slice(0, 40)}»`, () => {
    assert.throws(() => parseListenAddress(text), { kind: 'invalid', message: why })
  })
}

for (const headers of [
  { host: '127.0.0.1:2375' },
  { host: 'localhost' },
  { host: '[::1]:80' },
  { host: undefined },
  { host: 'localhost:1', origin: 'http://localhost:8080' },
  { host: 'localhost:1', origin: 'http://[::1]:8080' },
]) {
  test(`checkCaller() lets ${JSON.stringify(headers)} in`, () => checkCaller(headers))
}

for (const headers of [
  { host: 'evil.example' },
  { host: '127.0.0.1.evil.example:2375' },
  { host: 'localhost.evil.example' },
  { host: 'localhost', origin: 'http://evil.example' },
  { host: 'localhost', origin: 'null' },
  { host: 'localhost', origin: 'localhost' },
  { host: 'localhost', origin: 'http://127.0.0.1@evil.example' },
]) {
  test(`checkCaller() refuses ${JSON.stringify(headers)}`, () => {
    assert.throws(() => checkCaller(headers), { kind: 'forbidden' })
  })
}

function place(t: TestContext): { readonly path: string; readonly server: () => Server } {
  const folder = mkdtempSync(join(tmpdir(), 'mica-listen-'))
  const servers: Server[] = []
  t.after(() => {
    for (const server of servers) server.close()
    rmSync(folder, { recursive: true })
  })
  return {
    path: join(folder, 's'),
    server: () => {
      const server = createServer()
      servers.push(server)
      return server
    },
  }
}

test('listenOn() makes a socket for owner and group alone', async (t) => {
  const { path, server } = place(t)
  assert.equal(await listenOn(server(), { kind: 'unix', path }), `unix://${path}`)
  assert.equal(statSync(path).mode & 0o777, 0o660)
})

test('listenOn() replaces a socket that nobody listens on', async (t) => {
  const { path, server } = place(t)
  const child = await import('node:child_process')
  const dies = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  child.spawnSync(process.execPath, ['-e', dies])
  assert.ok(statSync(path).isSocket())
  await listenOn(server(), { kind: 'unix', path })
})

test('listenOn() leaves a socket that answers and a file that is none', async (t) => {
  const { path, server } = place(t)
  await listenOn(server(), { kind: 'unix', path })
  await assert.rejects(listenOn(server(), { kind: 'unix', path }), {
    kind: 'conflict',
    message: /another daemon listens there/,
  })
  writeFileSync(`${path}file`, '')
  await assert.rejects(listenOn(server(), { kind: 'unix', path: `${path}file` }), { kind: 'conflict' })
})

test('listenOn() says why nobody can listen', async (t) => {
  const { path, server } = place(t)
  await assert.rejects(listenOn(server(), { kind: 'unix', path: `${path}/no/folder` }), { kind: 'invalid' })
  const taken = await listenOn(server(), { kind: 'tcp', host: '127.0.0.1', port: 0 })
  const port = Number(taken.split(':').at(-1))
  await assert.rejects(listenOn(server(), { kind: 'tcp', host: '127.0.0.1', port }), {
    kind: 'conflict',
    message: `cannot listen on 127.0.0.1:${port}: it is in use`,
  })
})

test('listenOn() says the port that was chosen', async (t) => {
  const { server } = place(t)
  assert.match(await listenOn(server(), { kind: 'tcp', host: '127.0.0.1', port: 0 }), /^tcp:\/\/127\.0\.0\.1:[1-9]\d+$/)
})
