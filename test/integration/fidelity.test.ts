import { digestOf, hexOf, parseManifest } from '#oci'
import { startDaemon } from '#test/daemon'
import { dockerClient, runProgram, type Docker } from '#test/docker'
import { IMAGE_KINDS, makeOffer, offerBytes, rootTar, type Form, type OfferedImage } from '#test/image-kinds'
import { copyBusybox } from '#test/images'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { startRegistry, type TestRegistry } from '#test/registry'
import { temporary, type Temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'

ownMountNamespace()

interface Scene {
  readonly folder: Temporary
  /** Where images come from, and where they go to. */
  readonly from: TestRegistry
  readonly to: TestRegistry
  readonly docker: Docker
  readonly mica: Docker
  readonly busybox: Buffer
}

async function scene(work: (scene: Scene) => Promise<void>): Promise<void> {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  {
    for (const name of ['from', 'to', 'skopeo']) mkdirSync(folder.join(name))
    await using from = await startRegistry(folder.join('from'))
    await using to = await startRegistry(folder.join('to'))
    await using daemon = await startDaemon({ folder: folder.join('d') })
    using docker = dockerClient(daemon.host)
    using mica = micaClient(daemon.host)
    copyBusybox(folder.join('busybox'))
    await work({ folder, from, to, docker, mica, busybox: readFileSync(folder.join('busybox')) })
  }
  await leftovers.assertNothingLeft()
}

async function skopeo(folder: Temporary, ...args: readonly string[]): Promise<string> {
  const policy = folder.join('policy.json')
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}')
  const env = { XDG_RUNTIME_DIR: folder.join('skopeo'), TMPDIR: folder.path }
  const { code, stdout, stderr } = await runProgram('skopeo', ['--policy', policy, ...args], { env })
  assert.equal(code, 0, `skopeo ${args.join(' ')}\n${stderr}`)
  return stdout
}

/** By skopeo: the name is this manifest byte for byte, and all that it names is there. */
async function assertPushed(folder: Temporary, name: string, { manifest }: OfferedImage): Promise<void> {
  const place = `docker://${name}`
  assert.equal(await skopeo(folder, 'inspect', '--tls-verify=false', '--raw', place), manifest.bytes.toString())
  const told = await skopeo(folder, 'inspect', '--tls-verify=false', '--format', '{{.Digest}}', place)
  assert.equal(told.trim(), digestOf(manifest.bytes))
  const copy = folder.join('copy')
  await skopeo(folder, 'copy', '--preserve-digests', '--src-tls-verify=false', place, `dir:${copy}`)
  assert.deepEqual(readFileSync(`${copy}/manifest.json`), manifest.bytes)
  const { config, layers } = parseManifest(manifest.bytes, manifest.mediaType)
  for (const { digest } of [config, ...layers]) {
    assert.equal(digestOf(readFileSync(`${copy}/${hexOf(digest)}`)), digest)
  }
  rmSync(copy, { recursive: true })
}

/** Everything is removed and collected: what is pulled next comes from the registry. */
async function forgetAll(docker: Docker): Promise<void> {
  await docker.ok('image', 'prune', '-a', '-f')
  assert.equal(await docker.ok('images', '-a', '-q'), '')
}

async function assertUsable(docker: Docker, image: string, text: string): Promise<void> {
  assert.equal(await docker.ok('run', '--rm', '--network', 'none', image), text)
}

/** Without running it: its files are as they were offered. */
async function assertReadable({ docker, folder }: Scene, image: string): Promise<void> {
  const id = await docker.ok('create', image, 'x')
  const { code, stderr } = await docker.run(['export', '-o', folder.join('export.tar'), id])
  assert.equal(code, 0, stderr)
  await docker.ok('rm', id)
}

async function roundTrip(scene: Scene, [client, kind]: readonly [Docker, (typeof IMAGE_KINDS)[number]]): Promise<void> {
  const { folder, from, to, docker, busybox } = scene
  const { name, flags = [], runs = true } = kind
  const image = await kind.make(await rootTar(busybox, name))
  await offerBytes(from.base, `${name}/first`, image)
  const [there, elsewhere] = [`${from.host}/${name}/first:1`, `${to.host}/second/${name}:v1`]
  await client.ok('pull', ...flags, there)
  const id = digestOf(image.config)
  assert.equal(await docker.ok('inspect', '--format', '{{.Id}}', there), id)
  await client.ok('tag', there, elsewhere)
  const digest = digestOf(image.manifest.bytes)
  assert.ok((await client.ok('push', elsewhere)).includes(`v1: digest: ${digest} size: ${image.manifest.bytes.length}`))
  await assertPushed(folder, elsewhere, image)
  await forgetAll(docker)
  assert.match(await client.ok('pull', ...flags, elsewhere), new RegExp(`^Digest: ${digest}$`, 'm'))
  assert.equal(
    await docker.ok('inspect', '--format', '{{.Id}} {{.RepoDigests}}', elsewhere),
    `${id} [${to.host}/second/${name}@${digest}]`,
  )
  if (runs) await assertUsable(docker, elsewhere, name)
  else await assertReadable(scene, elsewhere)
  await forgetAll(docker)
}

test('pulled, pushed elsewhere, pulled again: the same manifest, byte for byte', { timeout: 600_000 }, (context) =>
  scene(async (made) => {
    for (const [index, kind] of IMAGE_KINDS.entries()) {
      const client = index % 5 === 1 ? made.mica : made.docker
      await context.test(kind.name, () => roundTrip(made, [client, kind]))
    }
  }),
)

test(
  'what is built here keeps the digest of its first push, also in the form of Docker',
  { timeout: 300_000 },
  (context) => scene((made) => builtHere(context, made)),
)

async function builtHere(context: TestContext, { folder, from, to, docker }: Scene): Promise<void> {
  const built = `${from.host}/built:1`
  writeFileSync(
    folder.join('Dockerfile'),
    'FROM scratch\nCOPY busybox /bin/busybox\nCOPY kind /kind\nCMD ["/bin/busybox","cat","/kind"]\n',
  )
  writeFileSync(folder.join('kind'), 'built')
  writeFileSync(folder.join('.dockerignore'), '*\n!busybox\n!kind\n')
  await docker.ok('build', '-q', '-t', built, folder.path)
  await docker.ok('push', built)
  const converted = `${from.host}/converted:1`
  const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false']
  await skopeo(folder, 'copy', ...insecure, '--format', 'v2s2', `docker://${built}`, `docker://${converted}`)
  for (const [name, there] of [
    ['built', built],
    ['converted', converted],
  ] as const) {
    await context.test(name, async () => {
      await forgetAll(docker)
      const raw = Buffer.from(await skopeo(folder, 'inspect', '--tls-verify=false', '--raw', `docker://${there}`))
      const { mediaType } = parseManifest(raw)
      await docker.ok('pull', there)
      const elsewhere = `${to.host}/${name}:2`
      await docker.ok('tag', there, elsewhere)
      await docker.ok('push', elsewhere)
      await assertPushed(folder, elsewhere, offered({ mediaType, bytes: raw }))
      await forgetAll(docker)
      await assertUsable(docker, elsewhere, 'built')
    })
  }
}

function offered(manifest: OfferedImage['manifest']): OfferedImage {
  return { manifest, documents: [manifest], blobs: [], config: Buffer.of() }
}

test('the same layers in several forms: each image keeps its own', { timeout: 300_000 }, () =>
  scene(async ({ folder, from, to, docker, busybox }) => {
    const root = await rootTar(busybox, 'forms')
    const forms: readonly Form[] = ['gzip', 'zstd', 'plain']
    const images = forms.map((form) =>
      makeOffer({ family: 'oci', tars: [root], forms: [form], moreConfig: { author: form } }),
    )
    for (const [index, image] of images.entries()) {
      const name = `forms/${forms[index]}`
      await offerBytes(from.base, name, image)
      await docker.ok('pull', `${from.host}/${name}:1`)
      await docker.ok('tag', `${from.host}/${name}:1`, `${to.host}/${name}:2`)
    }
    for (const [index, image] of images.entries()) {
      const name = `${to.host}/forms/${forms[index]}:2`
      await docker.ok('push', name)
      await assertPushed(folder, name, image)
    }
  }),
)
