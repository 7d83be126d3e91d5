import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { type TarInput, TarWriter } from '#archive'
import { ConfinedRoot, unpackTar } from '#tree'
import { guessCopies } from './copy-guess.ts'
import type { ForeseenLayer } from './foreseen-layer.ts'
import { Foresight } from './foresight.ts'
import { TarIndexer } from './tar-index.ts'

const GUESSES: readonly (readonly [text: string, target: string | undefined, copies: readonly string[]])[] = [
  ['FROM a\nCOPY x /y', undefined, ['x y']],
  ['FROM a\nCOPY ./x/y/ /z/', undefined, ['x/y z/']],
  ['FROM a\nCOPY . /y', undefined, [' y']],
  ['FROM a\nCOPY x y\nCOPY x /deep/y\nCOPY x /', undefined, []],
  ['FROM a\nCOPY x* /y\nCOPY $x /y\nCOPY x /$y\nCOPY x z /y/', undefined, []],
  ['FROM a\nCOPY --chown=1 x /y\nCOPY --chmod=600 x /y\nCOPY --from=b x /y\nADD x /y', undefined, []],
  ['FROM a AS one\nCOPY x /y\nFROM b AS two\nCOPY x /z', 'one', ['x y']],
  ['FROM a AS one\nCOPY x /y\nFROM b\nCOPY x /z', undefined, ['x z']],
  ['FROM a AS one\nCOPY x /y\nFROM b\nCOPY --from=one /y /z\nCOPY q /q', undefined, ['q q', 'x y']],
  ['FROM a AS one\nCOPY x /y\nFROM one\nRUN true', undefined, ['x y']],
  ['COPY what', undefined, []],
]

test('guessCopies() gives what a Dockerfile says without its variables and its base', () => {
  for (const [text, target, copies] of GUESSES) {
    const guessed = guessCopies(text, target)
    const shown = guessed.map(({ source, destination, isFolder }) => `${source} ${destination}${isFolder ? '/' : ''}`)
    assert.deepEqual(shown, copies, text)
  }
})

type Member = TarInput & { readonly text?: string }

function tarOf(members: readonly Member[]): Buffer {
  const chunks: Buffer[] = []
  const writer = new TarWriter((chunk) => chunks.push(Buffer.from(chunk)))
  for (const { text = '', ...member } of members) {
    writer.entry({ mtime: 1_700_000_000_123_456_789n, ...member, size: text.length })
    if (text !== '') writer.body(Buffer.from(text))
  }
  writer.finish()
  return Buffer.concat(chunks)
}

const file = (path: string, text: string, more: Partial<TarInput> = {}): Member => {
  return { kind: 'file', path, mode: 0o644, text, ...more }
}
const folder = (path: string): Member => ({ kind: 'directory', path, mode: 0o750 })

/** What is foreseen of a context of these members. */
function foresee(...members: readonly Member[]): readonly ForeseenLayer[] {
  const home = mkdtempSync(join(tmpdir(), 'mica-foresight-'))
  try {
    mkdirSync(join(home, 'root'))
    using root = new ConfinedRoot(join(home, 'root'))
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
    const indexer = new TarIndexer()
    const foresight = new Foresight(
      { dockerfile: { path: 'Dockerfile' } },
      { root, owner, isAsleep: () => false, settle: () => undefined, nodeOf: (place) => indexer.index.get(place) },
    )
    const tar = tarOf(members)
    const context = { cancelled: () => false, report: () => undefined }
    // in pieces, so that bodies come in several
    const feed = (take: (bytes: Uint8Array) => void): void => {
      for (let at = 0; at < tar.length; at += 700) take(tar.subarray(at, at + 700))
    }
    unpackTar(feed, {
      root,
      place: '',
      owner,
      watch: {
        entry(entry) {
          indexer.entry(entry)
          foresight.entry(entry)
        },
        body(chunk) {
          indexer.body(chunk)
          foresight.body(chunk)
        },
        end: () => indexer.end(),
      },
      context,
    })
    return foresight.finish()
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

const WHOLE = file('Dockerfile', 'FROM a\nCOPY . /new')
const PART = file('Dockerfile', 'FROM a\nCOPY src /new')
const SOURCE = [
  folder('src/'),
  file('src/a', 'a'.repeat(5000)),
  folder('src/b/'),
  file('src/b/c', 'c'),
  file('src/b.c', 'd'),
]

test('a layer is foreseen of a context in the order of a tree', () => {
  const [layer, ...others] = foresee(PART, ...SOURCE)
  assert.equal(others.length, 0)
  assert.ok(layer?.made)
  const { source, place, entries, content, made } = layer
  assert.deepEqual({ source, place, entries, content }, { source: 'src', place: 'new', entries: 5, content: 5002 })
  assert.equal(made.folder, 'new')
  assert.equal(layer.size % 512, 0)
})

test('what came before the Dockerfile counts too', () => {
  const [layer] = foresee(file('.dockerignore', 'x'), WHOLE, ...SOURCE)
  assert.deepEqual([layer?.source, layer?.entries, layer?.content], ['', 8, 5003 + WHOLE_LENGTH])
})

const WHOLE_LENGTH = WHOLE.text?.length ?? 0

test('nothing is foreseen of what cannot be known', () => {
  const [top, ...rest] = SOURCE
  assert.ok(top)
  assert.deepEqual(foresee(PART, top, ...rest.toReversed()), [], 'another order')
  assert.deepEqual(foresee(PART, ...rest), [], 'a folder that is only implied')
  assert.deepEqual(foresee(PART, ...SOURCE, { kind: 'fifo', path: 'src/d' }), [], 'a pipe')
  assert.deepEqual(foresee(PART, ...SOURCE, { kind: 'hardlink', path: 'src/d', link: 'src/a' }), [], 'a second name')
  assert.deepEqual(
    foresee(PART, ...SOURCE, file('src/d', '', { mtime: -1n })),
    [],
    'a time that is not kept everywhere',
  )
  assert.deepEqual(foresee(PART, ...SOURCE, file('src/.wh.d', '')), [], 'a name that layers keep for removals')
  assert.deepEqual(foresee(file('other', 'FROM a\nCOPY src /new'), ...SOURCE), [], 'no Dockerfile')
})
