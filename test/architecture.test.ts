import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'

const SRC = join(import.meta.dirname, '..', 'src')

const STORE = ['db', 'lease', 'content', 'snapshot', 'layer', 'image', 'gc'].map((room) => `store/${room}`)
const GROUND = ['base', 'kernel', 'event', 'oci', 'archive', 'dockerfile', 'tree']
const MOVING = ['registry', 'transfer', 'hub']
const RUNNING = ['runtime', 'switchboard', 'network', 'volume', 'container']

/** Room → what it may import: the reasons are in docs/decisions/007-imports-between-rooms.md. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  'kernel/call': ['base'],
  'kernel/process': ['base', 'kernel/call'],
  'kernel/mount': ['base', 'kernel/call'],
  'kernel/net': ['base', 'kernel/call', 'kernel/process'],
  kernel: ['base', 'kernel/call', 'kernel/process', 'kernel/mount', 'kernel/net'],
  event: ['base'],
  oci: ['base'],
  archive: ['base'],
  dockerfile: ['base', 'oci'],
  tree: ['base', 'kernel', 'archive'],
  wire: ['base', 'oci'],
  'store/db': ['base', 'kernel'],
  'store/lease': ['base'],
  'store/content': ['base', 'oci', 'store/db', 'store/lease'],
  'store/snapshot': ['base', 'kernel', 'oci', 'store/db', 'store/lease'],
  'store/layer': ['base', 'kernel', 'oci', 'archive', 'store/db', 'store/content', 'store/snapshot', 'store/lease'],
  'store/image': ['base', 'oci', 'event', 'store/db', 'store/content', 'store/lease'],
  'store/gc': ['base', 'store/db', 'store/lease'],
  registry: ['base', 'oci'],
  transfer: ['base', 'event', 'oci', 'archive', 'registry', ...STORE],
  hub: ['base', 'oci', 'registry', 'transfer', ...STORE],
  'runtime/root': ['base', 'kernel'],
  runtime: ['base', 'kernel', 'oci', 'runtime/root'],
  switchboard: ['base', 'kernel'],
  'network/link': ['base', 'kernel'],
  'network/filter': ['base', 'kernel'],
  network: ['base', 'kernel', 'event', 'store/db', 'switchboard', 'network/link', 'network/filter'],
  volume: ['base', 'kernel', 'event', 'store/db'],
  // An image can be mounted too: what it is, and where its layers lie.
  'container/mount': ['base', 'kernel', 'oci', 'store/image', 'store/snapshot', 'runtime', 'volume'],
  'container/stream': ['base', 'runtime'],
  'container/link': ['base'],
  'container/record': [
    'base',
    'oci',
    'store/db',
    'store/layer',
    'store/snapshot',
    'network',
    'runtime',
    'container/mount',
    'container/stream',
  ],
  'container/files': ['base', 'archive', 'kernel', 'tree', 'store/layer', 'store/snapshot', 'container/record'],
  container: [
    'base',
    'kernel',
    'event',
    'oci',
    'archive',
    'tree',
    ...STORE,
    'runtime',
    'network',
    'volume',
    'container/mount',
    'container/stream',
    'container/link',
    'container/record',
    'container/files',
  ],
  'builder/files': ['base', 'kernel', 'archive', 'dockerfile', 'tree'],
  'builder/plan': ['base', 'oci', 'dockerfile'],
  builder: [
    'base',
    'kernel',
    'event',
    'oci',
    'archive',
    'dockerfile',
    ...STORE,
    'transfer',
    'builder/files',
    'builder/plan',
  ],
  'engine/namespace': ['base', 'kernel'],
  engine: [...GROUND, 'engine/namespace', ...STORE, ...MOVING, ...RUNNING, 'builder'],
  // Types of containers, networks, volumes and builds come through the engine's door.
  'api/exchange': ['base', 'oci', 'wire', 'engine'],
  'api/network': ['base', 'oci', 'wire', 'engine', 'api/exchange'],
  'api/container': ['base', 'oci', 'wire', 'engine', 'api/exchange', 'api/network'],
  'api/image': ['base', 'oci', 'wire', 'engine', 'api/exchange'],
  api: ['base', 'event', 'oci', 'wire', 'engine', 'api/exchange', 'api/network', 'api/container', 'api/image'],
  buildkit: ['base', 'wire', 'engine'],
  client: ['base', 'wire'],
  'cli/template': [],
  'cli/kit': ['base', 'wire', 'client', 'cli/template'],
  'cli/credential': ['base', 'wire', 'cli/kit'],
  'cli/request': ['base', 'wire', 'cli/kit'],
  'cli/container': ['base', 'oci', 'archive', 'wire', 'cli/kit', 'cli/credential', 'cli/request'],
  'cli/image': ['base', 'oci', 'archive', 'dockerfile', 'wire', 'cli/kit', 'cli/credential', 'cli/request'],
  'cli/system': ['base', 'wire', 'cli/kit', 'cli/template'],
  cli: ['base', 'client', 'cli/kit', 'cli/credential', 'cli/container', 'cli/image', 'cli/system'],
  ui: ['wire'],
  // The kernel too: the daemon's process ends itself when all is closed.
  bin: ['base', 'kernel', 'engine/namespace', 'switchboard', 'engine', 'api', 'buildkit', 'cli'],
}

/** The worker's part puts the job tables of the rooms together. */
const WORKER_ENTRY = 'bin/worker-jobs.ts'
const WORKER_MAY_IMPORT = [...GROUND, ...STORE, ...MOVING, ...RUNNING, 'builder']

const MAX_LINES = 400

interface Source {
  /** Path below src. */
  readonly path: string
  readonly room: string
  readonly text: string
}

const all = readSources(SRC)
const sources = all.filter((source) => !/\.(test|suite)\.ts$/.test(source.path))

function readSources(folder: string): Source[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return readSources(path)
    if (!entry.name.endsWith('.ts')) return []
    const below = relative(SRC, path)
    return [{ path: below, room: roomOf(below), text: readFileSync(path, 'utf8') }]
  })
}

/** The longest room of the table that the path lies in; a folder inside a room belongs to it. */
function roomOf(path: string): string {
  const rooms = Object.keys(MAY_IMPORT).filter((room) => path.startsWith(`${room}/`))
  return rooms.sort((a, b) => b.length - a.length)[0] ?? path
}

function importsOf(text: string): readonly string[] {
  const statements = /^\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s+)?'([^']+)'/gm
  const calls = /\bimport\(\s*'([^']+)'\s*\)/g
  return [statements, calls].flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] ?? ''))
}

function allowedFor(source: Source): readonly string[] {
  return source.path === WORKER_ENTRY ? WORKER_MAY_IMPORT : (MAY_IMPORT[source.room] ?? [])
}

test('every file of src lies in a room of the table', () => {
  const strays = all.filter((source) => MAY_IMPORT[source.room] === undefined).map((source) => source.path)
  assert.deepEqual(strays, [], 'a new room needs its line in the table, and in docs/ARCHITECTURE.md')
})

test('rooms import what the table allows, and nothing else', () => {
  const broken = sources.flatMap((source) => {
    const allowed = allowedFor(source)
    const rooms = importsOf(source.text)
      .filter((name) => name.startsWith('#'))
      .map((name) => name.slice(1))
    return rooms
      .filter((room) => room !== source.room && !allowed.includes(room))
      .map((room) => `${source.path} imports #${room}; ${source.room} may import ${allowed.join(', ') || 'nothing'}`)
  })
  assert.deepEqual(broken, [])
})

test('a room is entered by its door, and left by nothing else', () => {
  const broken = all.flatMap((source) =>
    importsOf(source.text)
      .filter((name) => name.includes('../') || (name.startsWith('#') && source.room === name.slice(1)))
      .map((name) => `${source.path} imports ${name}`),
  )
  assert.deepEqual(broken, [])
})

test('only tests import test support', () => {
  const broken = sources.filter((source) => importsOf(source.text).some((name) => /^#(test|suite)\//.test(name)))
  assert.deepEqual(
    broken.map((source) => source.path),
    [],
  )
})

test('every room has a door that begins with 3 to 10 lines of what it is', () => {
  const rooms = [...new Set(sources.map((source) => source.room))].filter((room) => room !== 'bin' && room !== 'ui')
  const broken = rooms.filter((room) => {
    const door = join(SRC, room, 'index.ts')
    const comment = existsSync(door) ? /^\/\*\*\n((?: \* .*\n)+) \*\//.exec(readFileSync(door, 'utf8'))?.[1] : undefined
    const lines = comment?.trimEnd().split('\n').length ?? 0
    return lines < 3 || lines > 10
  })
  assert.deepEqual(broken, [])
})

/** An `import` reads all exports, and some of these load `fetch`, TLS and HTTP/2: 12 MB and 40 ms of the daemon's start. */
const COSTLY = ['http', 'https', 'http2', 'tls']

test('costly parts of node come by process.getBuiltinModule, which loads no more than what is used', () => {
  const imported = new RegExp(`^import (?!type )[^']*from 'node:(?:${COSTLY.join('|')})'`, 'm')
  const broken = sources.filter((source) => imported.test(source.text)).map((source) => source.path)
  assert.deepEqual(broken, [])
})

test('the state of a module is never its own: no let at its top', () => {
  const broken = sources
    .filter((source) => /^(?:export\s+)?(?:let|var)\s/m.test(source.text))
    .map((source) => source.path)
  assert.deepEqual(broken, [])
})

test(`no file is longer than ${MAX_LINES} lines`, () => {
  const broken = all
    .filter((source) => source.text.trimEnd().split('\n').length > MAX_LINES)
    .map((source) => source.path)
  assert.deepEqual(broken, [])
})

const MAX_FILES = 25
/** One file a command; the services of the whole. */
const LARGER: Readonly<Record<string, number>> = { 'cli/container': 28, engine: 30 }

test(`no room holds more than ${MAX_FILES} files`, () => {
  const counts = Map.groupBy(sources, (source) => source.room)
  const broken = [...counts]
    .filter(([room, files]) => files.length > (LARGER[room] ?? MAX_FILES))
    .map(([room, files]) => `${room}: ${files.length}`)
  assert.deepEqual(broken, [], 'split it into rooms inside (docs/decisions/021-rooms-inside-rooms.md)')
})
