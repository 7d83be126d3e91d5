import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { isKind } from '#base'
import { createRing, createWorkerPool, RingWriter, type WorkerPool } from '#kernel'
import { ConfinedRoot } from './confined-root.ts'
import { HandedWriter, type Words } from './handed-writer.ts'
import { type Attributes, type EntryWriter, TreeWriter } from './write-tree.ts'

const entry = new URL('./handed-writer.test-worker.ts', import.meta.url)
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
const never = { cancelled: () => false }

class Scene implements AsyncDisposable {
  readonly home = mkdtempSync(join(tmpdir(), 'mica-handed-'))
  readonly pool: WorkerPool = createWorkerPool({ entry })
  readonly ring = createRing()

  folder(name: string): string {
    mkdirSync(join(this.home, name))
    return join(this.home, name)
  }

  begin(folder: string, signal?: AbortSignal): Promise<readonly Words[]> {
    return this.pool.run('test.write', { ring: this.ring, folder }, { lane: 'stream', ...(signal && { signal }) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool[Symbol.asyncDispose]()
    rmSync(this.home, { recursive: true })
  }
}

function attributes(mode: number, seconds: number): Attributes {
  return { mode, owner, mtime: BigInt(seconds) * 1_000_000_000n + 7n, xattrs: [] }
}

/** Each length that is worth a case: none, one, around the size of a piece, several pieces. */
const LENGTHS = [0, 1, 4095, 131_071, 131_072, 131_073, 400_000, 1_300_000]

function bytesOf(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += 1) bytes[at] = (at * 31 + length + (at >> 11)) & 0xff
  return bytes
}

/** More than the ring holds, in all kinds of entries. */
function writeAll(writer: EntryWriter): void {
  for (let round = 0; round < 8; round += 1) {
    const folder = `a${round}/\u0001\u00e9"\\`
    writer.makeFolders(`a${round}`, owner)
    writer.folder(`a${round}`, '\u0001\u00e9"\\', attributes(0o750, 1000 + round))
    for (const length of LENGTHS) {
      const file = writer.openFile(folder, `f${length}`)
      const bytes = bytesOf(length)
      // in one piece, or in uneven ones
      const step = round % 2 === 0 ? Math.max(1, length) : 99_991
      for (let at = 0; at < length; at += step) file.append(bytes.subarray(at, at + step))
      file.finish(attributes(0o640, 2000 + length), length)
    }
    const sparse = writer.openFile(folder, 'sparse')
    sparse.append(bytesOf(100), 50_000)
    sparse.append(bytesOf(10), 200_000)
    sparse.finish(attributes(0o600, 5), 300_000)
    writer.link(folder, 'link', attributes(0o777, 77), '../\u00e9\n')
    writer.hardLink(`a${round}`, 'second', { folder, name: 'f4095' })
    // what stands there is replaced
    writer.openFile(`a${round}`, 'second').finish(attributes(0o644, 9))
    writer.node(`a${round}`, 'pipe', { ...attributes(0, 8), mode: 0o010644 }, 0n)
  }
  writer.finish()
}

/** Raw names of all that is below a folder. */
function namesBelow(folder: string, above = ''): readonly string[] {
  const names = readdirSync(rawPath(folder, above), { encoding: 'latin1', withFileTypes: true })
  const below = names.flatMap((one) => {
    const name = `${above}${one.name}`
    return one.isDirectory() ? [name, ...namesBelow(folder, `${name}/`)] : [name]
  })
  return below.toSorted()
}

function rawPath(folder: string, name: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, 'latin1')])
}

function picture(folder: string): readonly string[] {
  return namesBelow(folder).map((name) => {
    const path = rawPath(folder, name)
    const { mode, size, mtimeNs, nlink, uid, gid } = lstatSync(path, { bigint: true })
    const isFile = (mode & 0o170000n) === 0o100000n
    const isLink = (mode & 0o170000n) === 0o120000n
    const content = isFile ? createHash('sha256').update(readFileSync(path)).digest('hex') : ''
    const target = isLink ? readlinkSync(path, { encoding: 'latin1' }) : ''
    // the time of folders that are made on the way is now
    const time = /^a\d$/.test(name) ? '' : mtimeNs
    return [JSON.stringify(name), mode, isFile ? size : '', time, nlink, uid, gid, content, target].join(' ')
  })
}

test('what is handed to another thread is written as the writer itself writes it', async () => {
  await using scene = new Scene()
  const [own, handed] = [scene.folder('own'), scene.folder('handed')]
  using root = new ConfinedRoot(own)
  writeAll(new TreeWriter(root))
  const written = scene.begin(handed)
  const writer = new HandedWriter(new RingWriter(scene.ring, never))
  writer.other(['first', 1, null])
  writer.settle()
  writeAll(writer)
  assert.deepEqual(await written, [['first', 1, null]])
  const expected = picture(own)
  assert.equal(expected.length, 8 * (LENGTHS.length + 6))
  assert.deepEqual(picture(handed), expected)
})

test('what was handed over is there once it has settled', async () => {
  await using scene = new Scene()
  const folder = scene.folder('root')
  const written = scene.begin(folder)
  const writer = new HandedWriter(new RingWriter(scene.ring, never))
  for (let at = 0; at < 200; at += 1) {
    const file = writer.openFile('', `f${at}`)
    file.append(bytesOf(at))
    file.finish(attributes(0o644, at))
    if (at % 50 !== 49) continue
    writer.settle()
    assert.equal(readdirSync(folder).length, at + 1)
    assert.deepEqual(readFileSync(join(folder, `f${at}`)), bytesOf(at))
  }
  writer.finish()
  await written
})

test('a fault of the thread that writes ends both sides, with its own error', async () => {
  await using scene = new Scene()
  const written = scene.begin(scene.folder('root'))
  written.catch(() => undefined)
  const writer = new HandedWriter(new RingWriter(scene.ring, never))
  assert.throws(
    () => {
      // the first has no folder to stand in, the others fill the ring
      for (let at = 0; at < 100; at += 1) {
        const file = writer.openFile('missing', `f${at}`)
        file.append(bytesOf(100_000))
        file.finish(attributes(0o644, at))
      }
    },
    (error) => isKind(error, 'cancelled'),
  )
  await assert.rejects(written, { code: 'ENOENT' })
})

test('a side that is told to stop does so, whatever the other one does', async () => {
  await using scene = new Scene()
  const stop = new AbortController()
  const written = scene.begin(scene.folder('root'), stop.signal)
  setImmediate(() => stop.abort())
  await assert.rejects(written, (error) => isKind(error, 'cancelled'))
  // nobody reads: the ring fills, and its writer waits until it is told to stop
  const full = new HandedWriter(new RingWriter(createRing(), { cancelled: () => (asked += 1) > 3 }))
  let asked = 0
  assert.throws(
    () => {
      for (;;) full.other(['x'.repeat(100_000)])
    },
    (error) => isKind(error, 'cancelled'),
  )
  assert.throws(() => full.openFile('', 'x'.repeat(600_000)), /half a MiB/)
})
