import { startDaemon, type TestDaemon } from '#test/daemon'
import { dockerClient, runProgram, type Docker } from '#test/docker'
import { testEnvironment } from '#test/environment'
import { watchLeftovers } from '#test/leftovers'
import { clientMajor } from '#test/lines'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { startRegistry, type TestRegistry } from '#test/registry'
import { skopeoClient, type Skopeo } from '#test/skopeo'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path, ...['one', 'two', 'broken'].map((name) => folder.join(name)))
/** Names of this run alone: peers that are asked keep what they have under other names. */
const SPACE = `exchange-${randomBytes(4).toString('hex')}`
const KINDS = ['pulled', 'built', 'committed', 'imported', 'zstd', 'loaded'] as const
type Kind = (typeof KINDS)[number]

let registry: TestRegistry
/** Has the images. */
let one: TestDaemon
/** Gets them. */
let two: TestDaemon
let docker: Docker
let mica: Docker
let skopeo: Skopeo
const ids = new Map<Kind, string>()

before(async () => {
  registry = await startRegistry(folder.path)
  one = await startDaemon({ folder: folder.join('one') })
  two = await startDaemon({ folder: folder.join('two'), mirror: false })
  docker = dockerClient(one.host)
  mica = micaClient(one.host)
  skopeo = skopeoClient(folder.path)
  await makeImages()
})

after(async () => {
  await one.stop({ all: true })
  await two.stop({ all: true })
  await registry[Symbol.asyncDispose]()
  docker[Symbol.dispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

function nameOf(kind: Kind): string {
  return `${SPACE}/${kind}:1`
}

function idOf(kind: Kind): string {
  const id = ids.get(kind)
  assert.ok(id)
  return id
}

async function makeImages(): Promise<void> {
  await docker.ok('pull', '-q', 'busybox')
  await docker.ok('tag', 'busybox', nameOf('pulled'))
  const lines = 'FROM busybox\nRUN echo here > /made && ln -s made /link\nLABEL a=b\nRUN rm /made && mkdir /empty\n'
  const built = await docker.run(['build', '-q', '-t', nameOf('built'), '-'], { input: lines })
  assert.equal(built.code, 0, built.stderr)
  await docker.ok('run', '--name', 'maker', nameOf('built'), 'sh', '-c', 'echo more > /more')
  await docker.ok('commit', '-c', 'CMD ["cat", "/more"]', 'maker', nameOf('committed'))
  await docker.ok('export', '-o', folder.join('root.tar'), 'maker')
  await docker.ok('import', '-m', 'from a tar', folder.join('root.tar'), nameOf('imported'))
  await docker.ok('rm', 'maker')
  // What skopeo makes of it: layers in zstd, fetched from a registry.
  await save(docker, nameOf('built'), 'built-for-skopeo')
  const there = `${registry.host}/zstd:1`
  const zstd = ['--dest-tls-verify=false', '--dest-compress-format', 'zstd']
  await skopeo('copy', ...zstd, '--format', 'oci', `docker-archive:${file('built-for-skopeo')}`, `docker://${there}`)
  await docker.ok('pull', '-q', there)
  await docker.ok('tag', there, nameOf('zstd'))
  await skopeo(
    'copy',
    `docker-archive:${file('built-for-skopeo')}`,
    `docker-archive:${file('by-skopeo')}:${nameOf('loaded')}`,
  )
  await docker.ok('load', '-q', '-i', file('by-skopeo'))
  for (const kind of KINDS) ids.set(kind, await docker.ok('inspect', '-f', '{{.Id}}', nameOf(kind)))
}

function file(name: string): string {
  return folder.join(`${name}.tar`)
}

async function save(client: Docker, image: string, name: string): Promise<void> {
  rmSync(file(name), { force: true })
  await client.ok('save', '-o', file(name), image)
}

/** The digest of the config that skopeo finds in an archive. */
async function configBySkopeo(source: string): Promise<string> {
  const target = folder.join('dir')
  rmSync(target, { recursive: true, force: true })
  await skopeo('copy', source, `dir:${target}`)
  return JSON.parse(readFileSync(join(target, 'manifest.json'), 'utf8')).config.digest
}

async function idThere(client: Docker, name: string): Promise<string> {
  return await client.ok('image', 'inspect', '-f', '{{.Id}}', name)
}

for (const kind of KINDS) {
  test(`${kind}: what is saved is the same by docker and mica, and skopeo finds its id in both forms`, async () => {
    const name = nameOf(kind)
    await save(docker, name, 'by-docker')
    await save(mica, name, 'by-mica')
    assert.ok(readFileSync(file('by-docker')).equals(readFileSync(file('by-mica'))))
    await save(docker, name, 'again')
    assert.ok(readFileSync(file('by-docker')).equals(readFileSync(file('again'))))
    assert.equal(await configBySkopeo(`docker-archive:${file('by-docker')}`), idOf(kind))
    assert.equal(await configBySkopeo(`oci-archive:${file('by-docker')}`), idOf(kind))
    await save(docker, idOf(kind), 'by-id')
    assert.equal(await configBySkopeo(`docker-archive:${file('by-id')}`), idOf(kind))
    assert.equal(await configBySkopeo(`oci-archive:${file('by-id')}`), idOf(kind))
  })

  test(`${kind}: what skopeo writes is loaded with its id`, async () => {
    await save(docker, nameOf(kind), 'source')
    using there = dockerClient(two.host)
    using also = micaClient(two.host)
    const source = `docker-archive:${file('source')}`
    const docker1 = file('docker-archive')
    rmSync(docker1, { force: true })
    await skopeo('copy', source, `docker-archive:${docker1}:${nameOf(kind)}`)
    assert.match(await there.ok('load', '-i', docker1), new RegExp(`Loaded image: ${nameOf(kind)}`))
    assert.equal(await idThere(there, nameOf(kind)), idOf(kind))
    await also.ok('rmi', nameOf(kind))
    // In the OCI layout: skopeo writes the config anew where it was Docker's, so its word for the id counts.
    const oci = `oci-archive:${file('oci')}`
    rmSync(file('oci'), { force: true })
    await skopeo('copy', source, `${oci}:${nameOf(kind)}`)
    const id = await configBySkopeo(oci)
    assert.match(await also.ok('load', '-i', file('oci')), new RegExp(`Loaded image: ${nameOf(kind)}`))
    assert.equal(await idThere(also, nameOf(kind)), id)
    await also.ok('rmi', nameOf(kind))
    const layout = folder.join('layout')
    rmSync(layout, { recursive: true, force: true })
    await skopeo('copy', source, `oci:${layout}:1`)
    const packed = await runProgram('tar', ['-czf', file('layout'), '-C', layout, '.'])
    assert.equal(packed.code, 0, packed.stderr)
    const said = await there.ok('load', '-i', file('layout'))
    assert.match(said, /Loaded image ID: sha256:/)
    assert.equal(/ID: (\S+)/.exec(said)?.[1], id)
    await there.ok('rmi', id)
  })
}

test('several images, some by id, that share layers are one archive; each is found and loaded', async () => {
  const names = [nameOf('pulled'), nameOf('built'), idOf('committed'), nameOf('zstd'), 'busybox']
  await docker.ok('save', '-o', file('several'), ...names)
  await mica.ok('save', '-o', file('several-2'), ...names)
  assert.ok(readFileSync(file('several')).equals(readFileSync(file('several-2'))))
  for (const kind of ['pulled', 'built', 'zstd'] as const) {
    assert.equal(await configBySkopeo(`docker-archive:${file('several')}:${nameOf(kind)}`), idOf(kind))
  }
  using there = micaClient(two.host)
  const said = await there.ok('load', '-i', file('several'))
  assert.match(said, new RegExp(`Loaded image ID: ${idOf('committed')}`))
  for (const kind of ['pulled', 'built', 'zstd'] as const) assert.equal(await idThere(there, nameOf(kind)), idOf(kind))
  assert.equal(await idThere(there, 'busybox'), idOf('pulled'))
  // What came is what goes on.
  await there.ok('save', '-o', file('several-3'), ...names)
  for (const kind of ['pulled', 'built', 'zstd'] as const) {
    assert.equal(await configBySkopeo(`docker-archive:${file('several-3')}:${nameOf(kind)}`), idOf(kind))
  }
  assert.equal(await there.ok('run', '--rm', idOf('committed')), 'more')
  await there.ok('rmi', nameOf('pulled'), nameOf('built'), nameOf('zstd'), 'busybox', idOf('committed'))
})

test('save: another platform, and a place that cannot be written, are refused in Docker’s words', async () => {
  const name = nameOf('built')
  const own = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64'
  const other = process.arch === 'arm64' ? 'linux/amd64' : 'linux/arm64'
  const refusals = [
    [['--platform', other, name], `no suitable export target found for platform ${other}`],
    [['--platform', 'bad/bad/bad/bad', name], '"bad/bad/bad/bad": cannot parse platform specifier: invalid argument'],
    [['-o', folder.join('nowhere/x.tar'), name], `invalid output path: stat ${folder.join('nowhere')}: no such file`],
    [['-o', folder.path, name], 'failed to save image: cannot write to a directory'],
  ] as const
  // older clients know no `save --platform`
  const isKnown = Number(await clientMajor(testEnvironment().docker)) >= 28
  for (const client of isKnown ? [docker, mica] : [mica]) {
    for (const [flags, text] of refusals) {
      const { code, stderr } = await client.run(['save', ...flags])
      assert.equal(code, 1)
      assert.ok(stderr.includes(text), stderr)
    }
    await client.ok('save', '--platform', own, '-o', file('own'), name)
    assert.equal(await configBySkopeo(`docker-archive:${file('own')}`), idOf('built'))
  }
})

test('save of an image whose blob is damaged ends with an error', async () => {
  await using broken = await startDaemon({ folder: folder.join('broken') })
  using client = dockerClient(broken.host)
  await client.ok('pull', '-q', 'busybox')
  const blobs = join(broken.dataRoot, 'content/blobs/sha256')
  const [largest] = readdirSync(blobs)
    .map((name) => join(blobs, name))
    .toSorted((a, b) => statSync(b).size - statSync(a).size)
  assert.ok(largest)
  const whole = readFileSync(largest)
  const damaged = Buffer.from(whole)
  damaged[whole.length - 100] = (whole[whole.length - 100] ?? 0) ^ 1
  chmodSync(largest, 0o600)
  // Cut short: a status says so. Altered: it shows when all has been sent, and the connection is cut.
  const refusals = [
    [whole.subarray(0, whole.length - 10), /^Error response from daemon: .*sha256:[0-9a-f]{12}/],
    [damaged, /unexpected EOF/],
  ] as const
  for (const [bytes, text] of refusals) {
    writeFileSync(largest, bytes)
    const { code, stderr } = await client.run(['save', '-o', file('broken'), 'busybox'])
    assert.equal(code, 1)
    assert.match(stderr, text)
  }
})

test('import of a file of the web: its history, changes, message and refusals', async () => {
  const tar = readFileSync(folder.join('root.tar'))
  const server = createServer((request, reply) => {
    reply.statusCode = request.url === '/root.tar' ? 200 : 404
    reply.end(request.url === '/root.tar' ? tar : 'nothing here')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const web = `http://127.0.0.1:${address.port}`
  try {
    for (const client of [docker, mica]) {
      assert.match(
        await client.ok('import', `${web}/root.tar`, 'web:1'),
        /Downloading from http.*[^]*sha256:[0-9a-f]{64}$/,
      )
      const comment = await client.ok('history', '--format', '{{.Comment}}', 'web:1')
      assert.equal(comment, `Imported from ${web}/root.tar`)
      await client.ok('import', '-c', 'CMD ["cat", "/more"]', '-m', 'by hand', `${web}/root.tar`, 'web:2')
      assert.equal(await client.ok('history', '--format', '{{.Comment}}', 'web:2'), 'by hand')
      assert.equal(await client.ok('run', '--rm', 'web:2'), 'more')
      const missing = await client.run(['import', `${web}/nope`, 'web:3'])
      assert.equal(missing.code, 1)
      assert.ok(missing.stderr.includes(`failed to GET ${web}/nope with status 404 Not Found: nothing here`))
      const bad = await client.run(['import', '--platform', 'bad/bad/bad/bad', `${web}/root.tar`])
      assert.ok(bad.stderr.includes('"bad/bad/bad/bad": cannot parse platform specifier: invalid argument'), bad.stderr)
    }
  } finally {
    server.close()
    server.closeAllConnections()
  }
})

/** Another engine, as far as archives go. */
interface Peer {
  readonly load: (path: string) => Promise<string>
  readonly save: (path: string, names: readonly string[], form?: string) => Promise<void>
  readonly id: (name: string) => Promise<string | undefined>
  readonly remove: (name: string) => Promise<void>
  /** An image of a root file system's tar. */
  readonly make: (name: string, tar: string) => Promise<void>
}

/** A client's line, its input or output a file: a peer may see none of ours. */
type Words = (args: readonly string[], files?: { readonly from?: string; readonly to?: string }) => Promise<string>

function wordsOf(command: readonly string[]): Words {
  return async (args, { from = '/dev/null', to } = {}) => {
    const line = to === undefined ? 'exec "$@" <"$0"' : 'exec "$@" >"$0"'
    const { code, stdout, stderr } = await runProgram('sh', ['-c', line, to ?? from, ...command, ...args])
    if (code !== 0) throw new Error(`${[...command, ...args].join(' ')} ended with ${code}\n${stdout}${stderr}`)
    return stdout
  }
}

function peerBy(words: Words, several: readonly string[]): Peer {
  return {
    load: (from) => words(['load'], { from }),
    async save(to, names, form) {
      const format = form === undefined ? [] : ['--format', form]
      await words(['save', ...format, ...(names.length > 1 ? several : []), ...names], { to })
    },
    async id(name) {
      const said = await words(['image', 'inspect', '-f', '{{.Id}}', name]).catch(() => undefined)
      return said === undefined ? undefined : `sha256:${said.trim().replace('sha256:', '')}`
    },
    remove: async (name) => void (await words(['rmi', name])),
    make: async (name, from) => void (await words(['import', '-c', 'ENV A=b', '-', name], { from })),
  }
}

function dockerPeer(): Peer | undefined {
  const host = process.env['MICA_PEER_DOCKER_HOST']
  return host === undefined ? undefined : peerBy(wordsOf([testEnvironment().docker, '-H', host]), [])
}

function podmanPeer(): Peer | undefined {
  const program = process.env['MICA_PEER_PODMAN']
  return program === undefined ? undefined : peerBy(wordsOf([program]), ['-m'])
}

/** Names that the archive gives, and whose they are; they are removed again. Podman puts `localhost` before its own. */
async function loadNamed(client: Docker, archive: string): Promise<ReadonlyMap<string, string>> {
  const said = await client.ok('load', '-i', file(archive))
  const found = new Map<string, string>()
  for (const [, name = ''] of said.matchAll(/Loaded image: (\S+)/g)) found.set(name, await idThere(client, name))
  await client.ok('rmi', ...found.keys())
  return found
}

/** Ends with nothing in the peer that was not there. */
async function withoutTrace(peer: Peer, names: readonly string[], work: () => Promise<void>): Promise<void> {
  const known = await Promise.all(names.map((name) => peer.id(name)))
  try {
    await work()
  } finally {
    for (const [index, name] of names.entries()) {
      if (known[index] === undefined && (await peer.id(name)) !== undefined) await peer.remove(name)
    }
  }
}

const PEERS = [
  ['docker', 'MICA_PEER_DOCKER_HOST', dockerPeer, [undefined]],
  ['podman', 'MICA_PEER_PODMAN', podmanPeer, ['docker-archive', 'oci-archive']],
] as const

for (const [peerName, variable, open, forms] of PEERS) {
  const peer = open()
  const asked = { skip: peer === undefined && `${variable} names none` }

  test(`${peerName}: every kind of image there and back, by name and by id`, asked, async (context: TestContext) => {
    assert.ok(peer)
    using back = micaClient(two.host)
    for (const kind of KINDS) {
      const [name, id] = [nameOf(kind), idOf(kind)]
      await withoutTrace(peer, [name, id], async () => {
        await save(mica, id, 'by-id')
        await peer.load(file('by-id'))
        assert.equal(await peer.id(id), id, `${kind} by id`)
        await save(mica, name, 'there')
        await peer.load(file('there'))
        assert.equal(await peer.id(name), id, kind)
        context.diagnostic(`${kind}: mica to ${peerName}: ${id.slice(7, 19)} = ${(await peer.id(name))?.slice(7, 19)}`)
        for (const form of forms) {
          await peer.save(file('back'), [name], form)
          const expected = await configBySkopeo(`${form ?? 'docker-archive'}:${file('back')}`)
          await back.ok('load', '-i', file('back'))
          const loaded = await idThere(back, name)
          assert.equal(loaded, expected, `${kind} back in ${form}`)
          const same = loaded === id ? 'the same' : 'what it wrote into the archive'
          context.diagnostic(`${kind}: ${peerName} to mica, ${form ?? 'its archive'}: ${loaded.slice(7, 19)}, ${same}`)
          await back.ok('rmi', name)
        }
      })
    }
  })

  test(`${peerName}: several images in one archive, both ways`, asked, async () => {
    assert.ok(peer)
    using back = micaClient(two.host)
    const kinds = ['pulled', 'built', 'committed'] as const
    const names = kinds.map(nameOf)
    await withoutTrace(peer, names, async () => {
      await mica.ok('save', '-o', file('all'), ...names)
      await peer.load(file('all'))
      for (const kind of kinds) assert.equal(await peer.id(nameOf(kind)), idOf(kind))
      await peer.save(file('all-back'), names)
      assert.deepEqual(new Set((await loadNamed(back, 'all-back')).values()), new Set(kinds.map(idOf)))
    })
  })

  test(`${peerName}: what it made itself is loaded with its id`, asked, async () => {
    assert.ok(peer)
    using back = dockerClient(two.host)
    const name = `${SPACE}/theirs:1`
    await withoutTrace(peer, [name], async () => {
      await peer.make(name, folder.join('root.tar'))
      await peer.save(file('theirs'), [name], forms.at(-1))
      assert.deepEqual([...(await loadNamed(back, 'theirs')).values()], [await peer.id(name)])
    })
  })
}
