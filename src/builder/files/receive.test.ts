import assert from 'node:assert/strict'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { TarWriter } from '#archive'
import type { TarInput } from '#archive'
import { ConfinedRoot, unpackTar } from '#tree'
import { builderJobs } from './jobs.ts'
import { receiveContext } from './receive.ts'
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

  receive(bytes: Buffer, texts: readonly string[] = []): ReceiveOutput {
    writeFileSync(this.sent, bytes)
    const pipe = openSync(this.sent, 'r')
    try {
      return receiveContext({ fd: pipe, folder: this.folder, index: this.index, texts, limit: 1 << 20 }, context)
    } finally {
      closeSync(pipe)
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.home, { recursive: true, force: true })
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
