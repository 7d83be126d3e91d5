import { askRegistry, clientOf, pushImage } from '#test/hub'
import { startDaemon, type TestDaemon } from '#test/daemon'
import { dockerClient, runProgram, type Docker } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary, type Temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request as requestTls } from 'node:https'
import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'

ownMountNamespace()

const CLI = join(import.meta.dirname, '..', '..', 'src', 'bin', 'cli.ts')

interface Scene {
  readonly folder: Temporary
  readonly daemon: TestDaemon
  readonly mica: Docker
}

async function scene(work: (scene: Scene) => Promise<void>): Promise<void> {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  {
    await using daemon = await startDaemon({ folder: folder.join('d') })
    using mica = micaClient(daemon.host)
    await work({ folder, daemon, mica })
  }
  await leftovers.assertNothingLeft()
}

async function skopeo(folder: Temporary, ...args: readonly string[]): Promise<string> {
  const policy = folder.join('policy.json')
  if (!existsSync(policy)) writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}')
  mkdirSync(folder.join('skopeo'), { recursive: true })
  const env = { XDG_RUNTIME_DIR: folder.join('skopeo'), TMPDIR: folder.path }
  const words = ['--policy', policy, '--tmpdir', folder.join('skopeo'), ...args]
  const { code, stdout, stderr } = await runProgram('skopeo', words, { env })
  assert.equal(code, 0, `skopeo ${args.join(' ')}\n${stderr}`)
  return stdout
}

/** On a port that no outgoing connection takes while the daemon is away. */
async function serve(mica: Docker, ...flags: readonly string[]): Promise<string> {
  for (let attempts = 20; ; attempts -= 1) {
    const listen = `127.0.0.1:${20_000 + Math.floor(Math.random() * 12_000)}`
    const { code, stdout, stderr } = await mica.run(['registry', 'serve', '-d', '--listen', listen, ...flags])
    if (code === 0) return stdout.trim()
    assert.ok(attempts > 0 && /it is in use/.test(stderr), stderr)
  }
}

test('docker, skopeo and mica push to it, pull from it and run what came', { timeout: 300_000 }, async () => {
  await scene(async ({ folder, daemon, mica }) => {
    const address = await serve(mica)
    await mica.ok('pull', '-q', 'busybox')
    const built = await mica.run(['build', '-q', '-t', 'made:1', '-'], {
      input: 'FROM busybox\nRUN echo here > /made\n',
    })
    assert.equal(built.code, 0, built.stderr)
    await using other = await startDaemon({ folder: folder.join('o'), mirror: false })
    using docker = dockerClient(other.host)
    // What the engine has is there by its name.
    await docker.ok('pull', `${address}/made:1`)
    assert.equal(await docker.ok('run', '--rm', `${address}/made:1`, 'cat', '/made'), 'here')
    assert.equal(
      await docker.ok('inspect', '-f', '{{.Id}}', `${address}/made:1`),
      await mica.ok('inspect', '-f', '{{.Id}}', 'made:1'),
    )
    // What docker pushes mica runs.
    await docker.ok('tag', `${address}/made:1`, `${address}/team/app:2`)
    const pushed = await docker.ok('push', `${address}/team/app:2`)
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1] ?? ''
    assert.equal(await mica.ok('run', '--rm', `${address}/team/app:2`, 'cat', '/made'), 'here')
    // One digest, whoever asks.
    const there = `docker://${address}/team/app:2`
    assert.equal(JSON.parse(await skopeo(folder, 'inspect', '--tls-verify=false', there)).Digest, digest)
    await skopeo(folder, 'copy', '--preserve-digests', '--src-tls-verify=false', there, `dir:${folder.join('copy')}`)
    const up = ['copy', '--preserve-digests', '--dest-tls-verify=false', `dir:${folder.join('copy')}`]
    await skopeo(folder, ...up, `docker://${address}/from/skopeo:3`)
    assert.deepEqual(
      JSON.parse(await skopeo(folder, 'list-tags', '--tls-verify=false', `docker://${address}/from/skopeo`)).Tags,
      ['3'],
    )
    const copied = JSON.parse(
      await skopeo(folder, 'inspect', '--tls-verify=false', `docker://${address}/from/skopeo:3`),
    )
    assert.equal(copied.Digest, digest)
    // Looked at from afar.
    assert.equal(await mica.ok('registry', 'tags', `${address}/from/skopeo`), '3')
    const seen = JSON.parse(await mica.ok('registry', 'inspect', `${address}/from/skopeo:3`))
    assert.deepEqual([seen.Descriptor.digest, seen.Platforms.length], [digest, 1])
    await docker.ok('pull', `${address}/from/skopeo:3`)
    // Over a restart all of it is served again, at the same place.
    await daemon.restart()
    await docker.ok('pull', `${address}/from/skopeo@${digest}`)
    await skopeo(folder, 'delete', '--tls-verify=false', `docker://${address}/from/skopeo:3`)
    assert.equal((await askRegistry(address, 'GET', '/v2/from/skopeo/manifests/3')).status, 404)
    assert.match(await mica.ok('registry', 'ls'), /team\/app +1 +1 /)
    assert.equal(await mica.ok('registry', 'stop', address), address)
    await assert.rejects(askRegistry(address, 'GET', '/v2/'))
  })
})

test('without -d it serves until the command is ended', { timeout: 120_000 }, async () => {
  await scene(async ({ daemon, mica }) => {
    const words = [CLI, '-H', daemon.host, 'registry', 'serve', '--listen', '127.0.0.1:0', '--read-only']
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const exited = once(child, 'exit')
    const address = await until('it serves', () => /serving a registry on (\S+), read-only;/.exec(said)?.[1], 60)
    assert.equal((await askRegistry(address, 'GET', '/v2/')).status, 200)
    const refused = await askRegistry(address, 'POST', '/v2/a/blobs/uploads/')
    assert.deepEqual([refused.status, refused.code], [405, 'UNSUPPORTED'])
    assert.match(await mica.ok('registry', 'ls'), new RegExp(`${address} +local images +read +everyone +no +no`))
    child.kill('SIGINT')
    assert.deepEqual(await exited, [0, null])
    await until('nobody listens', () =>
      askRegistry(address, 'GET', '/v2/').then(
        () => false,
        () => true,
      ),
    )
  })
})

test('a password, TLS, and no address beyond the machine by accident', { timeout: 120_000 }, async () => {
  await scene(async ({ folder, mica }) => {
    const secret = await mica.run(
      ['registry', 'serve', '-d', '--listen', '127.0.0.1:0', '--user', 'me', '--password-stdin'],
      { input: 'open sesame\n' },
    )
    const address = secret.stdout.trim()
    const none = await askRegistry(address, 'GET', '/v2/')
    assert.deepEqual([none.status, none.code], [401, 'UNAUTHORIZED'])
    assert.match(none.header('www-authenticate'), /^Basic realm=/)
    const authorization = `Basic ${Buffer.from('me:open sesame').toString('base64')}`
    assert.equal((await askRegistry(address, 'GET', '/v2/', { headers: { authorization } })).status, 200)
    await mica.ok('pull', '-q', 'busybox')
    await skopeo(folder, 'inspect', '--tls-verify=false', '--creds', 'me:open sesame', `docker://${address}/busybox`)
    const tls = makeCertificate(folder)
    const safe = await serve(mica, '--tls-cert', tls.certificate, '--tls-key', tls.key)
    assert.equal(await statusOverTls(safe, readFileSync(tls.certificate)), 200)
    const refusals = [
      [['--listen', '0.0.0.0:0'], /other machines could reach it; --public/],
      [['--listen', '5000'], /want an address and a port/],
      [['--user', 'me'], /--user needs --password-stdin/],
      [['--tls-cert', '/x'], /go together/],
      [['--tls-cert', '/x', '--tls-key', '/x', '--listen', '127.0.0.1:0'], /cannot read the certificate/],
      [['--mirror-of', 'ftp://x', '--listen', '127.0.0.1:0'], /invalid mirror/],
      [['--listen', address], /it is in use/],
    ] as const
    for (const [flags, text] of refusals) {
      const { code, stderr } = await mica.run(['registry', 'serve', '-d', ...flags])
      assert.notEqual(code, 0)
      assert.match(stderr, text)
    }
    const wide = await mica.run(['registry', 'serve', '-d', '--listen', '0.0.0.0:0', '--public'])
    assert.equal(wide.code, 0)
    assert.match(wide.stderr, /WARNING: without TLS.*\nWARNING: without --user/)
  })
})

function makeCertificate(folder: Temporary): { readonly certificate: string; readonly key: string } {
  const [certificate, key] = [folder.join('cert.pem'), folder.join('key.pem')]
  const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'
  const files = ['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate]
  execFileSync('openssl', [...words.split(' '), ...files], { stdio: 'ignore' })
  return { certificate, key }
}

function statusOverTls(address: string, ca: Buffer): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    requestTls(`https://${address}/v2/`, { ca }, (reply) => {
      reply.resume()
      resolve(reply.statusCode)
    })
      .on('error', reject)
      .end()
  })
}

test(
  'kill -9 in the middle of an upload: nothing half is seen, and the upload goes on',
  { timeout: 240_000 },
  async () => {
    await scene(async ({ daemon, mica }) => {
      const address = await serve(mica)
      const bytes = randomBytes(3_000_000)
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
      const begun = await askRegistry(address, 'POST', '/v2/cut/blobs/uploads/')
      const place = begun.header('location')
      const [host, port] = address.split(':')
      const sent = request({ host, port, method: 'PATCH', path: place, headers: { 'content-length': bytes.length } })
      sent.on('error', () => undefined)
      sent.write(bytes.subarray(0, 2_000_000))
      const ingests = join(daemon.dataRoot, 'content/ingest')
      const written = (): number =>
        readdirSync(ingests).reduce((sum, name) => sum + statSync(join(ingests, name)).size, 0)
      await until('something was written', () => written() > 1, 60)
      await daemon.kill9()
      await daemon.restart()
      assert.equal((await askRegistry(address, 'HEAD', `/v2/cut/blobs/${digest}`)).status, 404)
      const state = await askRegistry(address, 'GET', place)
      assert.equal(state.status, 204)
      const next = Number(state.header('range').split('-')[1]) + 1
      const wrong = { body: bytes.subarray(next), headers: { 'content-range': `${next + 1}-${bytes.length}` } }
      assert.equal((await askRegistry(address, 'PATCH', place, wrong)).status, 416)
      const rest = { body: bytes.subarray(next), headers: { 'content-range': `${next}-${bytes.length - 1}` } }
      assert.equal((await askRegistry(address, 'PATCH', place, rest)).status, 202)
      assert.equal((await askRegistry(address, 'PUT', `${place}?digest=${digest}`)).status, 201)
      assert.ok((await askRegistry(address, 'GET', `/v2/cut/blobs/${digest}`)).bytes.equals(bytes))
      assert.deepEqual(readdirSync(ingests), [])
    })
  },
)

test(
  'a lost blob is named by the check with its repository, and another push heals it',
  { timeout: 240_000 },
  async () => {
    await scene(async ({ daemon, mica }) => {
      const address = await serve(mica)
      const hub = clientOf(address)
      const { layer } = await pushImage(hub, 'lost/app', 'v1')
      const disk = JSON.parse((await daemon.call('GET', '/x/disk')).text)
      const [item] = disk.Items.filter(({ Id }: { Id: string }) => Id === layer)
      assert.deepEqual([item.Kind, item.Owners[0].Name], ['registry', 'lost/app:v1'])
      rmSync(join(daemon.dataRoot, 'content/blobs/sha256', layer.slice('sha256:'.length)))
      const check = await mica.run(['system', 'check', '--repair'])
      assert.match(check.stdout + check.stderr, /lost\/app:v1/)
      assert.equal((await hub.ask('HEAD', `/v2/lost/app/blobs/${layer}`)).status, 404)
      await pushImage(hub, 'lost/app', 'v1')
      assert.equal((await hub.ask('GET', `/v2/lost/app/blobs/${layer}`)).text, 'layer of lost/app:v1')
    })
  },
)
