import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startDaemon, type TestDaemon } from './daemon.ts'
import { type Choose, damageFile, type Done, filesUnder, removeTree } from './damage.ts'
import type { Docker } from './docker.ts'
import { micaClient } from './mica.ts'
import { startRegistry } from './registry.ts'
import { until } from './wait.ts'

interface Found {
  readonly Kind: string
  readonly Id: string
  readonly Path: string
  readonly What: string
}

/** What a check said. */
export interface Checked {
  readonly damages: readonly Found[]
  readonly repairs: readonly { readonly Damage: Found; readonly Outcome: string; readonly Text: string }[]
  readonly summary: { readonly Damages: number; readonly Left: number }
}

/** A store with an image that was pulled, one that was built on it and pushed, and one that was only built. */
export interface CheckScene extends AsyncDisposable {
  readonly daemon: TestDaemon
  readonly mica: Docker
  readonly images: readonly string[]
  check(repair?: boolean): Promise<Checked>
  /** Builds again what cannot be fetched; what a container of it shows. */
  rebuild(): Promise<string | undefined>
  /** Begins a repair and kills the daemon in the middle of it; a new one runs then. */
  repairAndKill(after: number): Promise<void>
  /** What a container of each image reads in its files; undefined where it was refused for its damage. */
  read(): Promise<ReadonlyMap<string, string | undefined>>
}

export async function checkScene(folder: string): Promise<CheckScene> {
  await using stack = new AsyncDisposableStack()
  const registry = stack.use(await startRegistry(folder))
  const daemon = stack.use(await startDaemon({ folder }))
  const mica = stack.use(micaClient(daemon.host))
  const names = { pulled: `${registry.host}/pulled`, pushed: `${registry.host}/pushed`, built: 'built' }
  const context = (name: string): string => join(folder, `context-${name}`)
  const build = (name: string): Promise<string> =>
    mica.ok('build', '-q', '-t', name, context(name.split('/').at(-1) ?? ''))
  writeContexts(context, names.pulled)
  await mica.ok('pull', 'busybox')
  await build(names.pulled)
  await mica.ok('push', names.pulled)
  await mica.ok('rmi', names.pulled)
  await daemon.call('POST', '/build/prune?all=1')
  await mica.ok('pull', names.pulled)
  await build(names.pushed)
  await mica.ok('push', names.pushed)
  await build(names.built)
  const images = ['busybox', ...Object.values(names)]
  const owned = stack.move()
  return {
    daemon,
    mica,
    images,
    check: (repair = false) => check(daemon, repair),
    async repairAndKill(after) {
      const cut = daemon.call('POST', '/x/check?repair=1').catch(() => undefined)
      await sleep(after)
      await daemon.kill9()
      await cut
      await daemon.restart()
    },
    async rebuild() {
      await build(names.built)
      return readOne(daemon, names.built)
    },
    read: () => readAll(daemon, images),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function writeContexts(context: (name: string) => string, base: string): void {
  for (const [name, from] of [
    ['pulled', 'busybox'],
    ['pushed', base],
    ['built', base],
  ] as const) {
    mkdirSync(join(context(name), 'files', name), { recursive: true })
    for (let n = 0; n < 8; n += 1) {
      writeFileSync(join(context(name), 'files', name, `file-${n}`), `${name} ${n}\n`.repeat(1 + n * 700))
    }
    const lines = [
      `FROM ${from}`,
      `COPY files /files/`,
      `RUN echo ${name} > /files/${name}/made && chmod 600 /files/*/made`,
    ]
    writeFileSync(join(context(name), 'Dockerfile'), `${lines.join('\n')}\n`)
  }
}

async function check(daemon: TestDaemon, repair: boolean): Promise<Checked> {
  const { status, text } = await daemon.call('POST', `/x/check${repair ? '?repair=1' : ''}`)
  assert.equal(status, 200, text)
  const lines = text
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
  const failed = lines.find((line) => line.error !== undefined)
  assert.equal(failed, undefined, JSON.stringify(failed))
  const aux = lines.flatMap((line) => line.aux ?? [])
  return {
    damages: aux.flatMap((one) => one.Damage ?? []),
    repairs: aux.flatMap((one) => one.Repair ?? []),
    summary: aux.at(-1).Summary,
  }
}

const PLACES = ['/files', '/bin/busybox', '/etc']

async function readAll(
  daemon: TestDaemon,
  images: readonly string[],
): Promise<ReadonlyMap<string, string | undefined>> {
  const found = new Map<string, string | undefined>()
  for (const image of images) found.set(image, await readOne(daemon, image))
  return found
}

/** Hash of what a new container shows. */
async function readOne(daemon: TestDaemon, image: string): Promise<string | undefined> {
  const made = await daemon.call('POST', '/containers/create', { Image: image, HostConfig: { NetworkMode: 'none' } })
  if (made.status !== 201) {
    assert.match(made.text, /mica system check --repair|No such image/)
    return undefined
  }
  const { Id } = JSON.parse(made.text)
  try {
    const hash = createHash('sha256')
    for (const place of PLACES) {
      const { status, text } = await daemon.call('GET', `/containers/${Id}/archive?path=${place}`)
      if (status === 404 && place === '/files') continue
      assert.equal(status, 200, text)
      hash.update(text)
    }
    return hash.digest('hex')
  } finally {
    await daemon.call('DELETE', `/containers/${Id}?force=1`)
  }
}

/** Files whose bytes the store answers for: blobs, and trees that nobody writes to. */
async function storeFiles(daemon: TestDaemon): Promise<readonly string[]> {
  const { text } = await daemon.call('GET', '/containers/json?all=1')
  assert.deepEqual(JSON.parse(text), [], 'a container would have a tree of its own')
  const snapshots = join(daemon.dataRoot, 'snapshots')
  let trees: readonly string[] = []
  // a container's tree goes behind its back
  await until('what was removed is gone', () => {
    const before = trees.join(' ')
    trees = readdirSync(snapshots).filter((name) => name !== 'trash')
    const isWhole = trees.every((name) => existsSync(join(snapshots, name, 'fs')))
    return isWhole && before === trees.join(' ') && readdirSync(join(snapshots, 'trash')).length === 0
  })
  const folders = [join(daemon.dataRoot, 'content/blobs'), ...trees.map((name) => join(snapshots, name, 'fs'))]
  return folders.flatMap((folder) => filesUnder(folder).map((path) => join(folder, path)))
}

const DATABASE = ['engine.db', 'engine.db.copy', 'engine.db.sum'] as const

/** Damages one file of the store; the database's while nobody has it open. */
export async function damageOne({ daemon }: CheckScene, choose: Choose): Promise<Done> {
  if (choose(10) === 0) {
    await daemon.stop()
    const done = damageFile(join(daemon.dataRoot, DATABASE[choose(DATABASE.length)] ?? 'engine.db'), choose)
    await daemon.restart()
    return done
  }
  const files = await storeFiles(daemon)
  const blobs = files.filter((path) => path.includes('/blobs/'))
  const chosen = choose(3) === 0 ? blobs : files
  const path = chosen[choose(chosen.length)] ?? ''
  const tree = /^.*\/snapshots\/\d+\/fs/.exec(path)?.[0]
  const done = tree !== undefined && choose(20) === 0 ? removeTree(tree) : damageFile(path, choose)
  // a start looks at files too, and forgets what it had read before
  if (choose(6) === 0) await daemon.restart()
  return done
}

/** True where a check has said what lies at that path. */
export function names({ damages }: Checked, { path }: Done): boolean {
  return damages.some(
    ({ Path }) => Path !== '' && (path === Path || path.startsWith(`${Path}/`) || Path.startsWith(`${path}.damaged-`)),
  )
}

/** Damages several blobs, but no config of an image that was only built. */
export async function damageBlobs({ daemon }: CheckScene, count: number, choose: Choose): Promise<readonly Done[]> {
  const { text } = await daemon.call('GET', '/images/built/json')
  const own: string = JSON.parse(text).Id
  const blobs = (await storeFiles(daemon)).filter((path) => path.includes('/blobs/') && !own.endsWith(basename(path)))
  return Array.from({ length: count }, () => blobs.splice(choose(blobs.length), 1)[0] ?? '').map((path) =>
    damageFile(path, choose),
  )
}
