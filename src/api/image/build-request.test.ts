import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BuildRequest } from '#engine'
import { parseBuild } from './build-request.ts'
import { serve } from '#test/serving'

interface Parsed {
  readonly status: number
  readonly message: string
  readonly request: BuildRequest | undefined
}

async function parse(query: string, headers: Readonly<Record<string, string>> = {}): Promise<Parsed> {
  let request: BuildRequest | undefined
  await using served = await serve([
    {
      method: 'POST',
      pattern: '/build',
      handle: (exchange) => {
        request = parseBuild(exchange)
        exchange.reply(204)
      },
    },
  ])
  const { status, text } = await served.call(`/build?${query}`, { method: 'POST', headers })
  return { status, message: text === '' ? '' : JSON.parse(text).message, request }
}

/** What docker 28 sends for `docker build .`. */
const PLAIN =
  'buildargs=%7B%7D&cachefrom=%5B%5D&cgroupparent=&cpuperiod=0&cpuquota=0&cpusetcpus=&cpusetmems=&cpushares=0' +
  '&dockerfile=Dockerfile&labels=%7B%7D&memory=0&memswap=0&networkmode=default&rm=1&shmsize=0&target=&ulimits=%5B%5D&version=1'

test('parseBuild() takes the line of a plain docker build', async () => {
  const { request, status } = await parse(`${PLAIN}&t=a&t=b:1`)
  assert.equal(status, 204)
  assert.equal(request?.context.kind, 'tar')
  assert.deepEqual(request.dockerfile, { path: 'Dockerfile' })
  assert.deepEqual(
    request.tags.map((tag) => `${tag.path}:${tag.tag}`),
    ['library/a:latest', 'library/b:1'],
  )
  assert.deepEqual(request.buildArgs, {})
  assert.equal(request.network, 'default')
  assert.deepEqual([request.noCache, request.pull, request.target], [false, false, undefined])
})

test('parseBuild() reads build arguments with and without values', async () => {
  const { request } = await parse(`buildargs=${encodeURIComponent('{"a":"1","b":null,"c":""}')}`)
  assert.deepEqual(request?.buildArgs, { a: '1', b: undefined, c: '' })
})

test('parseBuild() takes a folder in place and a Dockerfile as text over the socket', async () => {
  const { request } = await parse('contextpath=/srv/x&dockerfiletext=FROM%20y')
  assert.deepEqual(request?.context, { kind: 'folder', path: '/srv/x' })
  assert.deepEqual(request.dockerfile, { text: 'FROM y' })
  assert.match((await parse('contextpath=x')).message, /not an absolute path/)
})

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['version=2', /DOCKER_BUILDKIT=0/],
  ['remote=client-session', /DOCKER_BUILDKIT=0/],
  ['remote=https%3A%2F%2Fexample.org%2Fx.git', /cannot build from https:/],
  ['memory=100', /^--memory: not yet/],
  ['cachefrom=%5B%22x%22%5D', /^--cache-from: not yet/],
  ['extrahosts=a%3A1.2.3.4', /^--add-host: not yet/],
  ['squash=1', /^--squash: not yet/],
  ['shmsize=64', /^--shm-size: not yet/],
  ['networkmode=foo', /^--network: foo is not yet/],
  ['rm=0', /^--rm=false: not yet/],
  ['t=UPPER', /must be lowercase/],
  [`t=a@sha256:${'0'.repeat(64)}`, /build tag cannot contain a digest/],
  ['buildargs=x', /^error reading buildargs/],
  ['labels=%7B%22a%22%3A1%7D', /labels/],
]

for (const [query, message] of REFUSED)
  test(`parseBuild() refuses ${query.slice(0, 60)}`, async () => {
    const parsed = await parse(query)
    assert.equal(parsed.status, 400)
    assert.match(parsed.message, message)
  })

test('parseBuild() finds the credentials of a registry by the keys that clients use', async () => {
  const known = {
    'https://index.docker.io/v1/': { username: 'u', password: 'p' },
    'localhost:5000': { identitytoken: 't' },
  }
  const header = Buffer.from(JSON.stringify(known)).toString('base64url')
  const { request } = await parse('', { 'X-Registry-Config': header })
  assert.deepEqual(request?.credentialsFor?.('docker.io'), { username: 'u', password: 'p' })
  assert.deepEqual(request?.credentialsFor?.('localhost:5000'), { identityToken: 't' })
  assert.equal(request?.credentialsFor?.('other.example'), undefined)
})
