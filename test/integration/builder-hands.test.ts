import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Bytes, isKind } from '#base'
import { parseReference } from '#oci'
import { assertPackable, type BuildBench, type BuildRun, dockerfile, withBench, withRoot } from '#test/build-bench'
import { ownMountNamespace } from '#test/mount-namespace'
import { treeFacts } from '#test/tree-facts'
import { until } from '#test/wait'

ownMountNamespace()

/** One core gets no second thread. */
const OPTIONS = { timeout: 240_000, skip: availableParallelism() < 2 && 'one core alone' }
const WORKER = new URL('builder.test-worker.ts', import.meta.url)
/** Enough that a second thread is asked for early, and has work left when it comes. */
const FOLDERS = 40
const FILES = 40

function fill(context: string): void {
  for (let folder = 0; folder < FOLDERS; folder += 1) {
    const path = join(context, `files/d${folder}`)
    mkdirSync(path, { recursive: true })
    for (let file = 0; file < FILES; file += 1) {
      writeFileSync(join(path, `f${file}`), `${folder} ${file} `.repeat(file * 60))
      if (file % 7 === 0) chmodSync(join(path, `f${file}`), 0o4751)
    }
    symlinkSync('../d0/f1', join(path, 'link'))
    writeFileSync(join(path, 'ümläut \u0001'), 'named')
    chmodSync(path, 0o755 - (folder % 3))
    utimesSync(path, 1000 + folder, 2000 + folder)
  }
  writeFileSync(join(context, 'files/large'), Buffer.alloc(3_000_000, 'large'))
}

interface Ring {
  readonly ring: { readonly numbers: SharedArrayBuffer }
}

/** The second thread of the newest context. */
function secondOf(bench: BuildBench): BuildBench['jobs'][number] | undefined {
  return bench.jobs.findLast(({ job }) => job === 'builder.receive' || job === 'builder.write')
}

/** A context as a tar in pieces; where a second thread was asked for, the rest follows once it is there. */
async function* sent(bench: BuildBench, context: string, meanwhile: () => void = () => undefined): Bytes {
  const tar = execFileSync('tar', ['--sort=name', '--format=pax', '-c', '-C', context, '.'], { maxBuffer: 1 << 30 })
  let isThere = false
  for (let at = 0; at < tar.length; at += 1 << 18) {
    yield tar.subarray(at, at + (1 << 18))
    await new Promise((resolve) => setImmediate(resolve))
    const second = secondOf(bench)
    if (isThere || second?.job !== 'builder.write') continue
    const numbers = new Int32Array((second.input as Ring).ring.numbers)
    await until('the second thread is there', () => Atomics.load(numbers, 2) !== 0, 100)
    isThere = true
    meanwhile()
  }
}

interface Sending {
  readonly copy?: string
  readonly file?: string
  readonly meanwhile?: () => void
  readonly signal?: AbortSignal
}

function send(bench: BuildBench, context: string, sending: Sending = {}): Promise<BuildRun> {
  const { copy = 'COPY files /files', file, meanwhile, signal } = sending
  return bench.build(
    {
      context: { kind: 'tar', bytes: sent(bench, context, meanwhile) },
      dockerfile: file === undefined ? dockerfile('FROM busybox', copy) : { path: file },
      tags: [parseReference('sent')],
    },
    signal,
  )
}

/** How many entries the second thread has written for the newest context. */
async function handedOver(bench: BuildBench): Promise<number> {
  const second = secondOf(bench)
  return second?.job === 'builder.write' ? Number(await second.output) : 0
}

/** What is below the copied folder; how many names a file has is left out. */
function copied(bench: BuildBench, run: BuildRun): Promise<readonly string[]> {
  return withRoot(bench, run, (root) =>
    treeFacts(join(root, 'files')).map((line) => line.replace(/ \d+ names, first .*$/, '')),
  )
}

function contextsLeft(bench: BuildBench): readonly string[] {
  return readdirSync(join(bench.folder, 'data/builder/contexts'))
}

async function byFolder(bench: BuildBench, context: string): Promise<readonly string[]> {
  const request = {
    context: { kind: 'folder', path: context },
    dockerfile: dockerfile('FROM busybox', 'COPY files /files'),
  }
  return copied(bench, await bench.build({ ...request, noCache: true } as never))
}

test('a large context is written by two threads, and gives what its folder gives', OPTIONS, () =>
  withBench(WORKER, async (bench, context) => {
    fill(context)
    const expected = await byFolder(bench, context)
    const run = await send(bench, context)
    const handed = await handedOver(bench)
    assert.ok(handed > 100, String(handed))
    assert.deepEqual(await copied(bench, run), expected)
    await assertPackable(bench, run, 'two threads')
    assert.deepEqual(contextsLeft(bench), [])
  }),
)

test('where one file has changed the second thread links the others', OPTIONS, () =>
  withBench(WORKER, async (bench, context) => {
    fill(context)
    const first = await send(bench, context)
    const inode = (run: BuildRun, name: string): Promise<number> =>
      withRoot(bench, run, (root) => statSync(join(root, 'files', name)).ino)
    for (const changed of ['d0/f3', 'd20/f3', 'large']) {
      writeFileSync(join(context, 'files', changed), `changed ${changed}`)
      const run = await send(bench, context)
      await handedOver(bench)
      for (const name of ['d0/f1', 'd39/f39', 'd20/f2'])
        assert.equal(await inode(run, name), await inode(first, name), `${changed}: ${name}`)
      assert.notEqual(await inode(run, changed), await inode(first, changed))
      assert.deepEqual(await copied(bench, run), await byFolder(bench, context), changed)
      await assertPackable(bench, run, changed)
    }
    assert.deepEqual(contextsLeft(bench), [])
  }),
)

test('a Dockerfile behind all files of a context is read back from what the second thread wrote', OPTIONS, () =>
  withBench(WORKER, async (bench, context) => {
    fill(context)
    writeFileSync(join(context, 'z.Dockerfile'), 'FROM busybox\nCOPY files /files\n')
    bench.claimed.length = 0
    const run = await send(bench, context, { file: 'z.Dockerfile' })
    assert.ok((await handedOver(bench)) > 100)
    // the layer was known before its tree was read
    assert.deepEqual(bench.claimed, [true])
    await assertPackable(bench, run, 'Dockerfile last')
  }),
)

test('a second thread that fails ends the build with its own words, and nothing is left', OPTIONS, () =>
  withBench(WORKER, async (bench, context) => {
    fill(context)
    const contexts = join(bench.folder, 'data/builder/contexts')
    const lose = (): void => {
      for (const name of readdirSync(contexts)) rmSync(join(contexts, name, 'root'), { recursive: true })
    }
    await assert.rejects(send(bench, context, { meanwhile: lose }), /ENOENT/)
    assert.deepEqual(contextsLeft(bench), [])
    const expected = await byFolder(bench, context)
    assert.deepEqual(await copied(bench, await send(bench, context)), expected)
  }),
)

test('a build that is given up while two threads write leaves nothing', OPTIONS, () =>
  withBench(WORKER, async (bench, context) => {
    fill(context)
    const stop = new AbortController()
    await assert.rejects(send(bench, context, { meanwhile: () => stop.abort(), signal: stop.signal }), (error) =>
      isKind(error, 'cancelled'),
    )
    const late = await Promise.allSettled(bench.jobs.map(({ output }) => output))
    assert.ok(late.some(({ status }) => status === 'rejected'))
    await until('the files are gone', () => contextsLeft(bench).length === 0)
  }),
)
