import assert from 'node:assert/strict'
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { TarWriter } from '#archive'
import type { TarInput } from '#archive'
import { ConfinedRoot, unpackTar } from '#tree'
import { builderJobs } from './jobs.ts'
import { receiveContext } from './receive.ts'
import type { KnownInput } from './known-layer.ts'
import type { ReceiveOutput } from './receive.ts'

type Member = TarInput & { readonly text?: string }

const context = { cancelled: () => false, report: () => undefined }

function tarOf(members: readonly Member[]): Buffer {
  const chunks: Buffer[] = []
  const writer = new TarWriter((chunk) => chunks.push(Buffer.from(chunk)))
  for (const { text = '', ...member } of members) {
    writer.entry({ ...member, size: Buffer.byteLength(text) })
    if (text !== '') writer.body(Buffer.from(text))
  }
  writer.finish()
  return Buffer.concat(chunks)
}

class Scene implements Disposable {
  readonly home = mkdtempSync(join(tmpdir(), 'mica-receive-'))
  readonly sent = join(this.home, 'sent.tar')
  readonly index = join(this.home, 'index.json')
  readonly folder = join(this.home, 'root')

  readonly stretches = join(this.home, 'stretches.json')

  receive(bytes: Buffer, texts: readonly string[] = [], known?: KnownInput): ReceiveOutput {
    writeFileSync(this.sent, bytes)
    const pipe = openSync(this.sent, 'r')
    try {
      const files = { folder: this.folder, index: this.index, stretches: this.stretches }
      const foresee = { dockerfile: { path: 'Dockerfile' } }
      return receiveContext({ fd: pipe, ...files, texts, limit: 1 << 20, foresee, ...(known && { known }) }, context)
    } finally {
      closeSync(pipe)
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.home, { recursive: true, force: true })
  }

  /** By the index's file, as another thread reads it. */
  hash(source: string): unknown {
    const { folder, index } = this
    return builderJobs['builder.hash']({ folder, index, sources: [source], keepOwners: false }, context)
  }

  /** The hash of sources as the tar shows them, and as a folder does into which it was unpacked. */
  hashes(...sources: readonly string[]): { readonly tar: unknown; readonly folder: unknown } {
    const unpacked = join(this.home, `unpacked-${sources.length}-${sources.join().length}`)
    mkdirSync(unpacked, { mode: 0o755 })
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
    {
      using root = new ConfinedRoot(unpacked)
      unpackTar(this.sent, { root, place: '', owner, context })
    }
    const input = { sources, keepOwners: false }
    const [tar, folder] = [
      { ...input, folder: this.folder, index: this.index },
      { ...input, folder: unpacked },
    ].map((each) => answer(() => builderJobs['builder.hash'](each, context)))
    return { tar, folder }
  }
}

function answer(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return String(error)
  }
}

const PLAIN: readonly Member[] = [
  { kind: 'directory', path: './', mode: 0o755 },
  { kind: 'file', path: 'Dockerfile', mode: 0o644, text: 'FROM scratch\n' },
  { kind: 'file', path: './deep/in/side.txt', mode: 0o640, text: 'x'.repeat(5000), mtime: 1_700_000_000_123_456_789n },
  { kind: 'directory', path: 'deep/', mode: 0o755 },
  { kind: 'file', path: 'deep/empty', mode: 0o600 },
  { kind: 'symlink', path: 'deep/up', link: '../Dockerfile' },
  { kind: 'symlink', path: 'abs', link: '/deep/in' },
  { kind: 'symlink', path: 'out', link: '../../../../deep' },
  { kind: 'symlink', path: 'loop', link: 'loop' },
  { kind: 'hardlink', path: 'second', link: 'deep/in/side.txt' },
  { kind: 'fifo', path: 'pipe', mode: 0o600 },
  { kind: 'file', path: 'deep/\xc3\xa4', mode: 0o644, text: 'name' },
]

const ASKED = [
  ['.'],
  ['deep'],
  ['deep/'],
  ['Dockerfile'],
  ['deep/up'],
  ['abs'],
  ['abs/side.txt'],
  ['out/in'],
  ['out/../Dockerfile'],
  ['second', 'deep/*'],
  ['d*/*/s*'],
  ['nothing'],
  ['Dockerfile/below'],
  ['deep/ä'],
  ['pipe'],
]

test('receiveContext() shows a tar as a folder shows it into which it was unpacked', () => {
  using scene = new Scene()
  assert.equal(scene.receive(tarOf(PLAIN)).indexed, 13)
  for (const sources of ASKED) {
    const { tar, folder } = scene.hashes(...sources)
    assert.deepEqual(tar, folder, sources.join(' '))
    rmSync(join(scene.home, `unpacked-${sources.length}-${sources.join().length}`), { recursive: true })
  }
})

test('receiveContext() gives the texts that are wanted, links followed inside of it', () => {
  using scene = new Scene()
  const { texts } = scene.receive(tarOf(PLAIN), [
    'Dockerfile',
    'deep/up',
    'deep',
    'loop',
    '.dockerignore',
    'deep/empty',
  ])
  assert.deepEqual(texts, { Dockerfile: 'FROM scratch\n', 'deep/up': 'FROM scratch\n', 'deep/empty': '' })
})

const file = (path: string, text = ''): Member => ({ kind: 'file', path, mode: 0o644, text })

const ODD: readonly (readonly [string, readonly Member[]])[] = [
  ['a name through a link', [{ kind: 'symlink', path: 'l', link: '.' }, file('l/a', 'x')]],
  ['a folder in a file’s place', [file('a', 'x'), { kind: 'directory', path: 'a', mode: 0o755 }]],
  ['a file in a folder’s place', [{ kind: 'directory', path: 'a', mode: 0o755 }, file('a', 'x')]],
  ['a name with ..', [file('a/../b', 'x')]],
]

test(
  'receiveContext() makes no index of what only a file system shows rightly',
  { skip: process.getuid?.() !== 0 },
  () => {
    for (const [what, members] of ODD) {
      using scene = new Scene()
      const { indexed } = scene.receive(tarOf([file('Dockerfile', 'FROM x\n'), ...members]), ['Dockerfile'])
      assert.equal(indexed, undefined, what)
      assert.equal(existsSync(join(scene.folder, 'Dockerfile')), true)
      assert.equal(existsSync(scene.index), false)
    }
  },
)

test('receiveContext() refuses a tar that was cut', () => {
  const whole = tarOf(PLAIN)
  for (const length of [100, 700, 2600]) {
    using scene = new Scene()
    assert.throws(() => scene.receive(whole.subarray(0, length)), { kind: 'corrupt' })
  }
})

test('receiveContext() replaces a file that comes twice by the later one', () => {
  using scene = new Scene()
  scene.receive(tarOf([file('a', 'first'), file('a', 'second')]), ['a'])
  const { tar, folder } = scene.hashes('a')
  assert.deepEqual(tar, folder)
})

const TIME = 1_700_000_000n * 1_000_000_000n
const folder = (path: string, mode = 0o750): Member => ({ kind: 'directory', path, mode, mtime: TIME })
const aged = (path: string, text: string): Member => ({ ...file(path, text), mtime: TIME })

/** Enough for several stretches, with folders and links in them. */
const SENT: readonly Member[] = [
  file('.dockerignore', 'nothing\n'),
  file('Dockerfile', 'FROM scratch\nCOPY files /files\n'),
  folder('files/'),
  ...Array.from({ length: 8 }, (_, at): readonly Member[] => [
    folder(`files/${at + 10}/`, at % 2 === 0 ? 0o755 : 0o700),
    ...Array.from({ length: 20 }, (__, index) => aged(`files/${at + 10}/${index + 10}`, `${at}`.repeat(index * 300))),
    { kind: 'symlink', path: `files/${at + 10}/link`, link: `../${at}`, mtime: TIME },
  ]).flat(),
  aged('other', 'not of the layer'),
]

function replaced(path: string, ...by: readonly Member[]): readonly Member[] {
  return SENT.flatMap((member) => (member.path === path ? by : [member]))
}

const FIRST = 'files/10/12'
const MIDDLE = 'files/15/15'
const AGAIN: readonly (readonly [string, readonly Member[]])[] = [
  ['the same', SENT],
  ['one changed', replaced(MIDDLE, aged(MIDDLE, 'changed'))],
  ['one of the same size changed', replaced(FIRST, aged(FIRST, '9'.repeat(600)))],
  [
    'two changed',
    replaced(MIDDLE, aged(MIDDLE, 'changed')).map((member) => (member.path === FIRST ? aged(FIRST, 'x') : member)),
  ],
  ['one with another mode', replaced(MIDDLE, { ...aged(MIDDLE, '5'.repeat(1500)), mode: 0o755 })],
  ['a folder with another mode', replaced('files/15/', folder('files/15/', 0o711))],
  ['one removed', replaced(MIDDLE)],
  ['a folder removed', SENT.filter(({ path }) => !path.startsWith('files/15'))],
  ['the folder of others left away', replaced('files/15/')],
  ['the last removed', SENT.slice(0, -30)],
  ['one added', replaced(MIDDLE, aged(`${MIDDLE}a`, 'new'), ...SENT.filter(({ path }) => path === MIDDLE))],
  ['a link changed', replaced('files/15/link', { kind: 'symlink', path: 'files/15/link', link: 'x', mtime: TIME })],
  ['a link for a folder', [...SENT.slice(0, 3), { kind: 'symlink', path: 'files/15', link: '11' }, ...SENT.slice(3)]],
  ['a file in front of its folder', [...SENT.slice(0, 3), aged('files/15/new', 'x'), ...SENT.slice(3)]],
  ['another Dockerfile', replaced('Dockerfile', file('Dockerfile', 'FROM scratch\nCOPY . /files\n'))],
  ['the Dockerfile last', [...replaced('Dockerfile'), ...SENT.filter(({ path }) => path === 'Dockerfile')]],
  ['a second name', [...SENT, { kind: 'hardlink', path: 'files/second', link: MIDDLE }]],
  ['one twice', [...SENT, aged(MIDDLE, 'later')]],
  ['a folder twice, then a change', [...SENT, folder('files/15/', 0o711), aged('files/15/z', '')]],
  ['one that comes later as a folder', [...SENT, { kind: 'directory', path: MIDDLE, mode: 0o700 }]],
  ['nothing but the texts', SENT.slice(0, 2)],
]

/** All that is below a folder, with what is kept of it. */
function treeOf(path: string): readonly string[] {
  return readdirSync(path)
    .toSorted()
    .flatMap((name) => {
      const at = join(path, name)
      const { mode, mtimeMs } = lstatSync(at)
      const isFolder = lstatSync(at).isDirectory()
      const isImplied = mtimeMs > Date.now() - 3_600_000
      const text = lstatSync(at).isSymbolicLink() ? readlinkSync(at) : isFolder ? '' : readFileSync(at, 'latin1')
      return [`${name} ${mode} ${isImplied ? '' : mtimeMs} ${text}`, ...(isFolder ? treeOf(at) : [])]
    })
}

function layerOf(scene: Scene): KnownInput {
  return { upper: scene.folder, source: 'files', place: 'files', index: scene.index, stretches: scene.stretches }
}

const TEXTS = ['Dockerfile', '.dockerignore']

for (const [what, members] of AGAIN)
  test(`a context that comes again is as if it came first: ${what}`, { skip: process.getuid?.() !== 0 }, () => {
    using before = new Scene()
    using again = new Scene()
    using plain = new Scene()
    using third = new Scene()
    before.receive(tarOf(SENT), TEXTS)
    const layer = treeOf(before.folder)
    const expected = plain.receive(tarOf(members), TEXTS)
    // the third by the notes of the second, of which some were taken from the first
    for (const [scene, earlier] of [
      [again, before],
      [third, again],
    ] as const) {
      const known = existsSync(earlier.index) ? layerOf(earlier) : undefined
      const output = scene.receive(tarOf(members), TEXTS, known)
      if (what === 'the same') assert.equal(output.isDeferred, true)
      if (known !== undefined && output.isDeferred) {
        assert.equal(output.isShared, true)
        assert.ok(treeOf(scene.folder).length < treeOf(plain.folder).length)
        builderJobs['builder.complete']({ folder: scene.folder, index: scene.index, known })
      }
      assert.deepEqual(treeOf(scene.folder), treeOf(plain.folder))
      assert.deepEqual(output.texts, expected.texts)
      assert.equal(output.digest, expected.digest)
      assert.equal(output.isMovable, expected.isMovable)
      if (existsSync(plain.index)) assert.equal(readFileSync(scene.index, 'utf8'), readFileSync(plain.index, 'utf8'))
      for (const { source, read } of output.foreseen) assert.deepEqual(read, scene.hash(source === '' ? '.' : source))
      const sizes = output.foreseen.map(({ source, size, content, entries }) => ({ source, size, content, entries }))
      const wanted = expected.foreseen.map(({ source, size, content, entries }) => ({ source, size, content, entries }))
      if (!output.isDeferred) assert.deepEqual(sizes, wanted)
    }
    assert.deepEqual(treeOf(before.folder), layer)
  })

test('a file that its layer has no more, or not as it was, is written', { skip: process.getuid?.() !== 0 }, () => {
  for (const harm of [
    (at: string) => unlinkSync(at),
    (at: string) => chmodSync(at, 0o666),
    (at: string) => writeFileSync(at, ''),
  ]) {
    using before = new Scene()
    using again = new Scene()
    before.receive(tarOf(SENT), TEXTS)
    const sound = treeOf(before.folder)
    harm(join(before.folder, MIDDLE))
    const { isDeferred, isShared } = again.receive(tarOf(SENT), TEXTS, layerOf(before))
    assert.deepEqual([isDeferred, isShared], [false, true])
    assert.deepEqual(treeOf(again.folder), sound)
  }
})

test('what ceases to be plain beside a source takes nothing from the build', { skip: process.getuid?.() !== 0 }, () => {
  for (const odd of [
    file('x/../y', 'y'),
    { kind: 'directory', path: 'other', mode: 0o755 },
    { kind: 'hardlink', path: 'second', link: 'src' },
  ] as const) {
    using scene = new Scene()
    const members = [
      file('Dockerfile', 'FROM x\nCOPY src /src\n'),
      file('other', 'o'),
      folder('src/'),
      aged('src/a', 'a'),
    ]
    const sent = [...members, odd, aged('src/b', 'bb'), aged('src/c', 'c')]
    try {
      const { indexed, foreseen } = scene.receive(tarOf(sent))
      assert.deepEqual([indexed, foreseen], [undefined, []])
    } catch (error) {
      // what no file system takes is refused in its own words
      assert.doesNotMatch(String(error), /has not come/)
      continue
    }
    assert.equal(readFileSync(join(scene.folder, 'src/b'), 'latin1'), 'bb')
  }
})

test('of a source that is a link nothing is foreseen but its layer', () => {
  using scene = new Scene()
  const { foreseen } = scene.receive(
    tarOf([
      file('Dockerfile', 'FROM scratch\nCOPY up /new\nCOPY other /file\n'),
      folder('deep/'),
      aged('deep/in', 'x'),
      aged('other', 'y'),
      { kind: 'symlink', path: 'up', link: 'deep', mtime: TIME },
    ]),
  )
  const read = foreseen.map((layer) => [layer.source, layer.read])
  assert.deepEqual(read, [
    ['up', undefined],
    ['other', scene.hash('other')],
  ])
})

test('what came twice and comes once again is what comes', { skip: process.getuid?.() !== 0 }, () => {
  using before = new Scene()
  using again = new Scene()
  using plain = new Scene()
  before.receive(tarOf([...SENT, aged(MIDDLE, 'later')]), TEXTS)
  again.receive(tarOf(SENT), TEXTS, layerOf(before))
  plain.receive(tarOf(SENT), TEXTS)
  assert.deepEqual(treeOf(again.folder), treeOf(plain.folder))
})

test('stretches are not told by an index that is not theirs', { skip: process.getuid?.() !== 0 }, () => {
  using before = new Scene()
  using other = new Scene()
  using again = new Scene()
  before.receive(tarOf(SENT), TEXTS)
  const notes = JSON.parse(readFileSync(before.stretches, 'utf8')) as object
  writeFileSync(
    before.stretches,
    JSON.stringify({ ...notes, index: other.receive(tarOf(PLAIN)).digest?.replace(/./, 'x') }),
  )
  const { isShared } = again.receive(tarOf(SENT), TEXTS, layerOf(before))
  assert.equal(isShared, false)
  assert.deepEqual(treeOf(again.folder), treeOf(before.folder))
})

test('without notes of its stretches a context is told by its files', { skip: process.getuid?.() !== 0 }, () => {
  for (const text of [undefined, '', '{', '{"key":"00","stretches":[]}']) {
    using before = new Scene()
    using again = new Scene()
    before.receive(tarOf(SENT), TEXTS)
    if (text === undefined) unlinkSync(before.stretches)
    else writeFileSync(before.stretches, text)
    assert.equal(again.receive(tarOf(SENT), TEXTS, layerOf(before)).isDeferred, true)
  }
})
