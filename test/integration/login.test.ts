import { type TestDaemon, startDaemon } from '#test/daemon'
import { type Docker, dockerClient, type Outcome } from '#test/docker'
import { testEnvironment } from '#test/environment'
import { type GuardedRegistry, type GuardOptions, startGuardedRegistry } from '#test/guarded-registry'
import { clientMajor } from '#test/lines'
import { micaClient } from '#test/mica'
import { startRegistry } from '#test/registry'
import { temporary } from '#test/temporary'
import { runAtTerminal } from '#test/terminal'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

const CLI = join(import.meta.dirname, '..', '..', 'src', 'bin', 'cli.ts')
const AUTH = Buffer.from('me:secret').toString('base64')

interface Scene {
  readonly registry: string
  readonly daemon: TestDaemon
  readonly mica: Docker
  readonly docker: Docker
  /** A folder with a config.json in it, and a clean account. */
  readonly config: () => { readonly env: Record<string, string>; readonly path: string; readonly text: () => string }
  readonly guard: (options: GuardOptions) => Promise<GuardedRegistry>
}

const stack = new AsyncDisposableStack()
let scene: Scene

before(async () => {
  const folder = stack.use(temporary())
  const registry = stack.use(await startRegistry(folder.path))
  const daemon = stack.use(await startDaemon({ folder: folder.join('daemon') }))
  const mica = micaClient(daemon.host)
  let count = 0
  scene = {
    registry: registry.host,
    daemon,
    mica,
    docker: stack.use(dockerClient(daemon.host)),
    config() {
      count += 1
      const own = folder.join(`config${count}`)
      mkdirSync(own)
      const path = join(own, 'config.json')
      return { env: { DOCKER_CONFIG: own, HOME: own }, path, text: () => readFileSync(path, 'utf8') }
    },
    guard: async (options) => stack.use(await startGuardedRegistry(registry.host, options)),
  }
  await mica.ok('pull', '-q', 'busybox:latest')
})

after(async () => {
  await stack.disposeAsync()
})

/** What a line says, with the registry's address taken out. */
function said({ code, stdout, stderr }: Outcome, host: string): string {
  return `${stdout}${stderr}[${code}]`.replaceAll(host, 'HOST')
}

/** Older clients say some things in other words. */
const saysWordsOf28 = Number(await clientMajor(testEnvironment().docker)) >= 28

const UNENCRYPTED = (path: string): string =>
  `\nWARNING! Your credentials are stored unencrypted in '${path}'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n`

test('login and logout of docker and of mica say and write the same', async () => {
  const { host } = await scene.guard({ kind: 'basic' })
  for (const client of saysWordsOf28 ? [scene.mica, scene.docker] : [scene.mica]) {
    const { env, path, text } = scene.config()
    const run = async (args: readonly string[], input = ''): Promise<string> =>
      said(await client.run(args, { env, input }), host)
    assert.equal(
      await run(['login', '-u', 'me', '--password-stdin', host], 'secret\n'),
      `Login Succeeded\n${UNENCRYPTED(path)}[0]`,
    )
    assert.equal(text(), `{\n\t"auths": {\n\t\t"${host}": {\n\t\t\t"auth": "${AUTH}"\n\t\t}\n\t}\n}`)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    const again = await run(['login', host])
    assert.match(again, /^Login Succeeded\n.*Authenticating with existing credentials\.\.\. \[Username: me\]/s)
    assert.match(
      await run(['login', '-u', 'me', '-p', 'wrong', host]),
      /WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n.*login attempt to http:\/\/HOST\/v2\/ failed with status: 401 Unauthorized\n\[1\]$/s,
    )
    assert.equal(await run(['logout', host]), 'Removing login credentials for HOST\n[0]')
    assert.equal(text(), '{\n\t"auths": {}\n}')
    assert.match(await run(['login', host]), /Error: Cannot perform an interactive login from a non TTY device\n\[1\]$/)
  }
})

const REFUSED: readonly (readonly [readonly string[], RegExp])[] = [
  [['-u', '', '-p', 'x'], /^username is empty\n$/],
  [['-u', 'me', '-p', ''], /^password is empty\n$/],
  [['--password-stdin'], /^the --password-stdin option requires --username to be set\n$/],
  [
    ['-u', 'me', '-p', 'x', '--password-stdin'],
    /^conflicting options: cannot specify both --password and --password-stdin\n$/,
  ],
  [['a', 'b'], /requires at most 1 argument/],
]

for (const [args, expected] of REFUSED) {
  test(`login ${args.join(' ')} is refused`, async () => {
    const outcome = await scene.mica.run(['login', ...args], { env: scene.config().env })
    assert.match(outcome.stderr, expected)
    assert.equal(outcome.code, 1)
  })
}

test('login asks at a terminal, and shows no password', async () => {
  const { host } = await scene.guard({ kind: 'bearer' })
  const { env, text } = scene.config()
  const words = [process.execPath, CLI, '-H', scene.daemon.host, 'login', host]
  const outcome = await runAtTerminal(words, { ...env, NODE_NO_WARNINGS: '1' }, [
    [/Username: /, 'me\r'],
    [/Password: /, 'secreX\u007ft\r'],
  ])
  assert.equal(outcome.code, 0, outcome.screen)
  assert.ok(!outcome.screen.includes('secre'), outcome.screen)
  assert.ok(text().includes(AUTH))
})

test('login keeps what others wrote into the file', async () => {
  const { host } = await scene.guard({ kind: 'basic' })
  const { env, path, text } = scene.config()
  writeFileSync(path, '{"z":[1],"auths":{"other":{"auth":"eDp5","mine":1}},"a":{"b":null}}', { mode: 0o644 })
  await scene.mica.run(['login', '-u', 'me', '-p', 'secret', host], { env })
  assert.deepEqual(JSON.parse(text()), {
    z: [1],
    auths: { other: { auth: 'eDp5', mine: 1 }, [host]: { auth: AUTH } },
    a: { b: null },
  })
  assert.deepEqual(Object.keys(JSON.parse(text())), ['z', 'auths', 'a'])
  writeFileSync(path, '{"auths":')
  const broken = await scene.mica.run(['login', '-u', 'me', '-p', 'secret', host], { env })
  assert.match(broken.stderr, /WARNING: Error parsing config file .*cannot change .* it is no configuration/s)
  assert.equal(text(), '{"auths":')
})

/** A helper that keeps one account in a file, and writes down what it is asked. */
function helper(folder: string): { readonly path: string; readonly log: () => string } {
  const program = join(folder, 'docker-credential-kept')
  writeFileSync(
    program,
    `#!/bin/sh
cd '${folder}'
cat > input
{ printf '%s <' "$1"; cat input; printf '>\\n'; } >> log
[ -e broken ] && { echo boom; exit 1; }
case $1 in
store) cp input kept ;;
get) cat kept 2>/dev/null || { echo 'credentials not found in native keychain'; exit 1; } ;;
list) if [ -e kept ]; then sed 's/.*"ServerURL":\\("[^"]*"\\).*/{\\1:"me"}/' kept; else echo '{}'; fi ;;
erase) rm -f kept ;;
esac
`,
    { mode: 0o755 },
  )
  return { path: folder, log: () => readFileSync(join(folder, 'log'), 'utf8') }
}

test('a credential helper keeps the account, is asked for it, and forgets it', async () => {
  const { host } = await scene.guard({ kind: 'basic' })
  const { env, path, text } = scene.config()
  const kept = helper(env['DOCKER_CONFIG'] ?? '')
  const own = { ...env, PATH: `${kept.path}:${process.env['PATH']}` }
  writeFileSync(path, '{"credsStore":"kept"}')
  const login = await scene.mica.run(['login', '-u', 'me', '-p', 'secret', host], { env: own })
  assert.match(said(login, host), /Login Succeeded\nWARNING! Using --password.*\n\[0\]$/)
  assert.deepEqual(JSON.parse(text()), { credsStore: 'kept', auths: { [host]: {} } })
  await scene.mica.ok('tag', 'busybox:latest', `${host}/kept:1`)
  assert.equal((await scene.mica.run(['push', '-q', `${host}/kept:1`], { env: own })).code, 0)
  writeFileSync(join(kept.path, 'Dockerfile'), `FROM ${host}/kept:1\n`)
  const build = ['build', '-q', '--pull', '-f', join(kept.path, 'Dockerfile'), kept.path]
  assert.equal((await scene.mica.run(build, { env: own })).code, 0)
  writeFileSync(join(kept.path, 'broken'), '')
  const pull = await scene.mica.run(['pull', `${host}/kept:1`], { env: own })
  assert.match(
    pull.stderr.replaceAll(host, 'HOST'),
    /^WARNING: error getting credentials - err: exit status 1, out: `boom`; going on without credentials\nError response from daemon: Head "http:\/\/HOST\/v2\/kept\/manifests\/1": no basic auth credentials\n$/,
  )
  writeFileSync(path, JSON.stringify({ credHelpers: { [host]: 'absent' } }))
  const absent = await scene.mica.run(['login', '-u', 'me', '-p', 'secret', host], { env: own })
  assert.match(
    absent.stderr,
    /Error saving credentials: error storing credentials - err: exec: "docker-credential-absent": executable file not found in \$PATH, out: ``\n$/,
  )
  assert.deepEqual(kept.log().split('\n').slice(0, 4), [
    `store <{"ServerURL":"${host}","Username":"me","Secret":"secret"}`,
    '>',
    `get <${host}>`,
    'list <>',
  ])
})

test('logout takes the account out of the helper too', async () => {
  const { env, path, text } = scene.config()
  const kept = helper(env['DOCKER_CONFIG'] ?? '')
  writeFileSync(join(kept.path, 'kept'), '{"ServerURL":"r.test","Username":"me","Secret":"x"}')
  writeFileSync(path, '{"auths":{"r.test":{}},"credHelpers":{"r.test":"kept"}}')
  const own = { ...env, PATH: `${kept.path}:${process.env['PATH']}` }
  const outcome = await scene.mica.run(['logout', 'https://r.test/v1/'], { env: own })
  assert.equal(said(outcome, '-'), 'Removing login credentials for r.test\n[0]')
  assert.equal(existsSync(join(kept.path, 'kept')), false)
  assert.deepEqual(JSON.parse(text()), { auths: {}, credHelpers: { 'r.test': 'kept' } })
})

test('an identity token takes the place of the password', async () => {
  const guard = await scene.guard({ kind: 'bearer', identity: 'long-lived' })
  for (const client of [scene.mica, scene.docker]) {
    const { env, text } = scene.config()
    await client.run(['login', '-u', 'me', '--password-stdin', guard.host], { env, input: 'secret' })
    const entry = JSON.parse(text()).auths[guard.host]
    assert.deepEqual(entry, { auth: Buffer.from('me:').toString('base64'), identitytoken: 'long-lived' })
    await scene.mica.ok('tag', 'busybox:latest', `${guard.host}/token:1`)
    const push = await client.run(['push', '-q', `${guard.host}/token:1`], { env })
    assert.equal(push.code, 0, push.stderr)
    assert.ok(guard.questions.some((line) => line.startsWith('POST refresh_token repository:token:')))
  }
})

test('a token that ends in the middle of a push is renewed', async () => {
  const guard = await scene.guard({ kind: 'bearer', uses: 2 })
  const { env } = scene.config()
  await scene.mica.run(['login', '-u', 'me', '-p', 'secret', guard.host], { env })
  await scene.mica.ok('tag', 'busybox:latest', `${guard.host}/many:1`)
  const push = await scene.mica.run(['push', '-q', `${guard.host}/many:1`], { env })
  assert.equal(push.code, 0, push.stderr)
  assert.ok(guard.questions.length > 3, guard.questions.join('\n'))
})

test('refusals of a registry come in the words of docker', async () => {
  const guard = await scene.guard({ kind: 'bearer', open: ['open'], readOnly: ['locked'] })
  const { env } = scene.config()
  const run = async (...args: readonly string[]): Promise<string> =>
    said(await scene.mica.run(args, { env }), guard.host)
  const denied = 'denied: requested access to the resource is denied'
  assert.ok(
    (await run('pull', `${guard.host}/secret:1`)).endsWith(
      `Error response from daemon: pull access denied for HOST/secret, repository does not exist or may require 'docker login': ${denied}\n[1]`,
    ),
  )
  assert.match(await run('pull', `${guard.host}/open:1`), /manifest for HOST\/open:1 not found: manifest unknown/)
  await scene.mica.ok('tag', 'busybox:latest', `${guard.host}/locked:1`)
  assert.match(await run('push', `${guard.host}/locked:1`), new RegExp(`${denied}\n\\[1\\]$`))
  assert.match(
    await run('login', '-u', 'me', '-p', 'wrong', guard.host),
    /Error response from daemon: Get "http:\/\/HOST\/v2\/": unauthorized: incorrect username or password\n\[1\]$/,
  )
  await run('login', '-u', 'me', '-p', 'secret', guard.host)
  assert.match(await run('push', `${guard.host}/locked:1`), new RegExp(`${denied}\n\\[1\\]$`))
  assert.ok(guard.questions.includes('GET me repository:locked:pull,push'), guard.questions.join('\n'))
})

test('the daemon tells what a name stands for in a registry, and takes credentials for it', async () => {
  const guard = await scene.guard({ kind: 'basic' })
  const { daemon } = scene
  const { env } = scene.config()
  await scene.mica.run(['login', '-u', 'me', '-p', 'secret', guard.host], { env })
  await scene.mica.ok('tag', 'busybox:latest', `${guard.host}/told:1`)
  await scene.mica.run(['push', '-q', `${guard.host}/told:1`], { env })
  const open = await daemon.call('GET', `/v1.51/distribution/${scene.registry}/told:1/json`)
  const told = JSON.parse(open.text)
  assert.deepEqual(Object.keys(told), ['Descriptor', 'Platforms'])
  assert.deepEqual(Object.keys(told.Descriptor), ['mediaType', 'digest', 'size'])
  assert.equal(told.Platforms[0].os, 'linux')
  const refusals = [
    [`${scene.registry}/none:1`, 404, 'manifest unknown: manifest unknown'],
    [`${guard.host}/told:1`, 401, `Head "http://${guard.host}/v2/told/manifests/1": no basic auth credentials`],
    ['a'.repeat(64), 500, 'no manifest found for full image ID'],
  ] as const
  for (const [name, status, message] of refusals) {
    const refused = await daemon.call('GET', `/v1.51/distribution/${name}/json`)
    assert.deepEqual({ status: refused.status, ...JSON.parse(refused.text) }, { status, message })
  }
  const manifest = await scene.docker.run(['manifest', 'inspect', '--insecure', `${scene.registry}/told:1`], { env })
  assert.equal(manifest.code, 0, manifest.stderr)
  const mine = await scene.mica.run(['manifest', 'inspect', `${guard.host}/told:1`], { env })
  assert.deepEqual(JSON.parse(mine.stdout), JSON.parse(manifest.stdout))
  const none = await scene.mica.run(['manifest', 'inspect', `${scene.registry}/none:1`], { env })
  assert.deepEqual([none.code, none.stderr], [1, `no such manifest: ${scene.registry}/none:1\n`])
})

test('search shows what a registry that offers it finds, and says where none is', async () => {
  const rows = [
    { name: 'many/stars', description: 'x'.repeat(60), star_count: 30, is_official: true },
    { name: 'few/stars', description: 'one\ntwo', star_count: 1, is_official: false },
  ]
  const server = createServer((_, reply) => reply.end(JSON.stringify({ results: rows })))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const host = `127.0.0.1:${address.port}`
  const { env } = scene.config()
  try {
    for (const flags of [[], ['--no-trunc'], ['--filter', 'stars=3'], ['--format', '{{.Name}}:{{.StarCount}}']]) {
      const words = ['search', ...flags, `${host}/stars`]
      const [mine, its] = [await scene.mica.run(words, { env }), await scene.docker.run(words, { env })]
      assert.equal(mine.code, 0, mine.stderr)
      assert.equal(mine.stdout, saysWordsOf28 ? its.stdout : mine.stdout)
    }
  } finally {
    server.closeAllConnections()
    server.close()
  }
  const none = await scene.mica.run(['search', `${scene.registry}/x`], { env })
  assert.equal(none.code, 1)
  assert.match(none.stderr, /cannot search at .*: it offers no search/)
  const many = await scene.mica.run(['search', '--limit', '200', 'x'], { env })
  assert.equal(many.stderr, 'Error response from daemon: limit 200 is outside the range of [1, 100]\n')
})

test('no secret reaches the log or the events', async () => {
  const { daemon } = scene
  const events = await daemon.call('GET', '/v1.51/events?since=1&until=' + Math.ceil(Date.now() / 1000))
  for (const text of [daemon.log(), events.text]) {
    for (const secret of ['secret"', AUTH, 'long-lived', 'me:secret']) assert.ok(!text.includes(secret), secret)
  }
})
