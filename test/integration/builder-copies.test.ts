import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { bytesOf } from '#base'
import { setXattr } from '#kernel'
import { parseReference } from '#oci'
import { assertPackable, type BuildBench, type BuildRun, dockerfile, withBench, withRoot } from '#test/build-bench'
import { ownMountNamespace } from '#test/mount-namespace'
import { until } from '#test/wait'

ownMountNamespace()

const WORKER = new URL('builder.test-worker.ts', import.meta.url)
const NAMES = Array.from({ length: 300 }, (_, index) => `f${index}`)

/** Inode numbers of what a build made of the files. */
function inodes(bench: BuildBench, run: BuildRun, folder: string): Promise<ReadonlyMap<string, number>> {
  return withRoot(bench, run, (root) => new Map(NAMES.map((name) => [name, statSync(join(root, folder, name)).ino])))
}

test('a file that did not change is written once for two builds', { timeout: 120_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    mkdirSync(join(context, 'files'))
    for (const name of NAMES) writeFileSync(join(context, 'files', name), `${name} `.repeat(50))
    // only what held still for a while is remembered
    const made = Date.now()
    await until('the files are settled', async () => Date.now() - made > 2500)
    const request = {
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile('FROM busybox', 'COPY files /files'),
    } as const
    const before = await inodes(bench, await bench.build(request), 'files')
    writeFileSync(join(context, 'files/f7'), 'changed')
    chmodSync(join(context, 'files/f8'), 0o600)
    const second = await bench.build(request)
    const after = await inodes(bench, second, 'files')
    assert.deepEqual(
      NAMES.filter((name) => before.get(name) !== after.get(name)),
      ['f7', 'f8'],
    )
    await withRoot(bench, second, (root) => {
      assert.equal(readFileSync(join(root, 'files/f7'), 'utf8'), 'changed')
      assert.equal(statSync(join(root, 'files/f8')).mode & 0o777, 0o600)
      assert.equal(readFileSync(join(root, 'files/f6'), 'utf8'), 'f6 '.repeat(50))
    })
    const twice = { ...request, dockerfile: dockerfile('FROM busybox', 'COPY files /a', 'COPY files /b') }
    for (const run of [await bench.build(twice), await bench.build({ ...twice, noCache: true })])
      assert.notEqual((await inodes(bench, run, 'a')).get('f1'), (await inodes(bench, run, 'b')).get('f1'))
  }),
)

/** Names, kinds, modes, owners, times and bytes below a folder, but the times of folders. */
function factsOf(root: string, folder: string): readonly string[] {
  const path = join(root, folder)
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return []
  const shared = `${folder} ${stat.mode} ${stat.uid}:${stat.gid}`
  if (stat.isDirectory()) return [shared, ...readdirSync(path).flatMap((name) => factsOf(root, `${folder}/${name}`))]
  return [`${shared} ${Math.floor(stat.mtimeMs / 1000)} ${stat.isFile() ? readFileSync(path, 'utf8') : ''}`]
}

const COPIES = [
  'COPY sub /new',
  'COPY . /new',
  'COPY sub /etc',
  'COPY skip /new/file',
  'COPY skip /new/',
  'COPY skip sub/s /new/',
  'COPY sub /new\nCOPY sub /one',
  'COPY sub/deep /new\nCOPY . /one',
  'COPY . /new/',
  'COPY ./sub/s /new',
  'COPY --chown=1:2 --chmod=750 sub /new',
  'COPY sub /link/below',
  'COPY sub /new\nFROM busybox\nCOPY sub /one\nCOPY --from=0 /new /new',
]

test('a context that came as a tar gives what the folder gives, wherever it goes', { timeout: 120_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    mkdirSync(join(context, 'sub/deep'), { recursive: true })
    writeFileSync(join(context, 'sub/deep/a'), 'a')
    writeFileSync(join(context, 'sub/s'), '#!\n', { mode: 0o755 })
    symlinkSync('deep/a', join(context, 'sub/l'))
    writeFileSync(join(context, 'skip'), 'skip')
    writeFileSync(join(context, '.dockerignore'), 'ignored\n')
    writeFileSync(join(context, 'ignored'), '')
    for (const copies of COPIES) {
      const text = dockerfile('FROM busybox', 'RUN ln -s /etc /link', copies)
      const common = { dockerfile: text, noCache: true }
      const options = ['--sort=name', '--format=pax', '--owner=7', '--group=7']
      const tar = bytesOf(execFileSync('tar', ['-c', ...options, '-C', context, '.']))
      const sent = await bench.build({ ...common, context: { kind: 'tar', bytes: tar } })
      await assertPackable(bench, sent, copies)
      const inPlace = await bench.build({ ...common, context: { kind: 'folder', path: context } })
      const look = (run: BuildRun): Promise<readonly string[]> =>
        withRoot(bench, run, (root) => ['new', 'etc', 'one'].flatMap((folder) => factsOf(root, folder)))
      assert.deepEqual(await look(sent), await look(inPlace), copies)
    }
    assert.deepEqual(readdirSync(join(bench.folder, 'data/builder/contexts')), [])
  }),
)

/** Whether the layer of a copy of known files, one of them changed, is hashed beside the copy. */
const BESIDE: Readonly<Record<string, boolean>> = {
  'COPY files /new': true,
  'COPY files /new/': true,
  'COPY . /new': true,
  'COPY files/deep /new': true,
  'COPY --exclude=f3* files /new': true,
  'WORKDIR /\nCOPY files new': true,
  // where it leads to is the root's matter
  'COPY files /link': false,
  'COPY --chown=1:2 files /new': false,
  'COPY --chmod=700 files /new': false,
  'COPY files /new/below': false,
  'COPY files /etc': false,
  'COPY files Dockerfile /new/': false,
}

test('the layer of known files is hashed beside the copy', { timeout: 240_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    mkdirSync(join(context, 'files/deep/more'), { recursive: true })
    for (const name of NAMES) {
      writeFileSync(join(context, 'files', name), `${name} `.repeat(50))
      writeFileSync(join(context, 'files/deep', name), name, { mode: 0o4755 })
    }
    writeFileSync(join(context, 'files/deep/more/empty'), '')
    symlinkSync('../f1', join(context, 'files/deep/link'))
    writeFileSync(join(context, 'Dockerfile'), 'FROM busybox')
    const made = Date.now()
    await until('the files are settled', async () => Date.now() - made > 2500)
    const built = async (copies: string): Promise<BuildRun> => {
      const text = dockerfile('FROM busybox', 'RUN ln -s /target /link', copies)
      return bench.build({ context: { kind: 'folder', path: context }, dockerfile: text })
    }
    for (const [copies, isClaimed] of Object.entries(BESIDE)) {
      await assertPackable(bench, await built(copies), copies)
      writeFileSync(join(context, 'files/deep/f7'), `changed for ${copies}`)
      const changed = await built(copies)
      assert.equal(bench.claimed.at(-1), isClaimed, copies)
      await assertPackable(bench, changed, copies)
    }
    // attributes go with a file, and are in no guess
    setXattr(join(context, 'files/deep/f8'), 'user.test', Buffer.from('1'))
    await assertPackable(bench, await built('COPY files /new'), 'with an attribute')
    assert.equal(bench.claimed.at(-1), false)
  }),
)

test('what was hashed of a context that came is not taken for other sources or rules', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const files = join(context, 'files')
    mkdirSync(files)
    for (const name of NAMES) writeFileSync(join(files, name), name)
    writeFileSync(join(context, 'alone'), 'before')
    const rules = { 'one.dockerignore': 'files/f1\n', 'two.dockerignore': 'files/f2\n' }
    for (const [name, text] of Object.entries(rules)) writeFileSync(join(context, name), text)
    const copies = [
      'COPY --exclude=f1 files /one',
      'COPY --exclude=f2 files /two',
      'COPY alone /alone',
      'COPY files /files',
    ]
    for (const name of ['one', 'two'])
      writeFileSync(join(context, name), ['FROM busybox', ...copies, 'COPY files /by-rule', ''].join('\n'))
    let id = ''
    const look = async (name: string): Promise<readonly string[]> => {
      const bytes = bytesOf(execFileSync('tar', ['--sort=name', '-c', '-C', context, '.'], { maxBuffer: 1 << 30 }))
      const run = await bench.build({ context: { kind: 'tar', bytes }, dockerfile: { path: name } })
      id = run.image.id
      return withRoot(bench, run, (root) =>
        ['alone', 'files/f1', 'files/f2', 'one/f2', 'two/f1', 'by-rule/f1', 'by-rule/f2'].map((path) => {
          const stat = statSync(join(root, path), { throwIfNoEntry: false })
          return stat === undefined ? `no ${path}` : readFileSync(join(root, path), 'utf8')
        }),
      )
    }
    assert.deepEqual(await look('one'), ['before', 'no files/f1', 'f2', 'f2', 'no two/f1', 'no by-rule/f1', 'f2'])
    assert.deepEqual(await look('two'), ['before', 'f1', 'no files/f2', 'no one/f2', 'f1', 'f1', 'no by-rule/f2'])
    writeFileSync(join(files, 'f1'), 'changed')
    assert.deepEqual(await look('one'), ['before', 'no files/f1', 'f2', 'f2', 'no two/f1', 'no by-rule/f1', 'f2'])
    const changed = ['changed', 'no files/f2', 'no one/f2', 'changed', 'changed', 'no by-rule/f2']
    assert.deepEqual(await look('two'), ['before', ...changed])
    writeFileSync(join(context, 'alone'), 'after')
    assert.deepEqual(await look('two'), ['after', ...changed])
    const before = id
    await look('two')
    assert.equal(id, before, 'all of it is cached')
  }),
)

test('names of one file in a tar are files of their own in the image', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    mkdirSync(join(context, 'sub'))
    writeFileSync(join(context, 'sub/a'), 'a')
    execFileSync('ln', [join(context, 'sub/a'), join(context, 'sub/b')])
    const bytes = bytesOf(execFileSync('tar', ['-c', '-C', context, '.']))
    const run = await bench.build({
      context: { kind: 'tar', bytes },
      dockerfile: dockerfile('FROM busybox', 'COPY sub /new'),
    })
    await withRoot(bench, run, (root) => {
      assert.equal(readFileSync(join(root, 'new/b'), 'utf8'), 'a')
      assert.notEqual(statSync(join(root, 'new/a')).ino, statSync(join(root, 'new/b')).ino)
    })
  }),
)

/** A build of a folder that is sent as a tar. */
function sending(bench: BuildBench, context: string, ...lines: readonly string[]): Promise<BuildRun> {
  return sendingAs('sent', bench, context, ...lines)
}

function sendingAs(
  tag: string,
  bench: BuildBench,
  ...[context, ...lines]: readonly [context: string, ...lines: string[]]
): Promise<BuildRun> {
  const options = ['--sort=name', '--format=pax', '-c', '-C', context]
  return bench.build({
    context: { kind: 'tar', bytes: bytesOf(execFileSync('tar', [...options, '.'], { maxBuffer: 1 << 30 })) },
    dockerfile: dockerfile('FROM busybox', ...lines),
    tags: [parseReference(tag)],
  })
}

test('a context that is sent again brings only what changed, and only for the same root', { timeout: 120_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const files = join(context, 'files')
    mkdirSync(files)
    for (const name of NAMES) writeFileSync(join(files, name), `${name} `.repeat(50))
    const first = await sending(bench, context, 'COPY files /files')
    const before = await inodes(bench, first, 'files')
    const again = await sending(bench, context, 'COPY files /files')
    assert.equal(again.image.id, first.image.id)
    assert.ok(again.events.some((event) => event.kind === 'cached'))
    writeFileSync(join(files, 'f7'), 'changed')
    const changed = await sending(bench, context, 'COPY files /files')
    const after = await inodes(bench, changed, 'files')
    const others = (than: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): readonly string[] =>
      NAMES.filter((name) => than.get(name) !== now.get(name))
    assert.deepEqual(others(before, after), ['f7'])
    rmSync(join(files, 'f9'))
    writeFileSync(join(files, 'f9'), 'f9 '.repeat(50))
    // of the same size and time
    execFileSync('cp', ['-p', join(files, 'f10'), join(bench.folder, 'f10')])
    writeFileSync(join(files, 'f10'), 'F10 '.repeat(50))
    execFileSync('touch', ['-r', join(bench.folder, 'f10'), join(files, 'f10')])
    const third = await sending(bench, context, 'COPY files /files')
    assert.deepEqual(others(after, await inodes(bench, third, 'files')), ['f9', 'f10'])
    const elsewhere = await sending(bench, context, 'RUN true > /made', 'COPY files /files')
    assert.equal(others(after, await inodes(bench, elsewhere, 'files')).length, NAMES.length)
    const twice = await sending(bench, context, 'COPY files /a', 'COPY files /b')
    const [a, b] = [await inodes(bench, twice, 'a'), await inodes(bench, twice, 'b')]
    assert.equal(others(a, b).length, NAMES.length)
    for (const run of [first, changed, third, elsewhere, twice]) await assertPackable(bench, run, 'sent again')
    for (const [run, folder] of [
      [third, 'files'],
      [elsewhere, 'files'],
      [twice, 'a'],
      [twice, 'b'],
    ] as const)
      await withRoot(bench, run, (root) =>
        assert.deepEqual(contentOf(join(root, folder)), contentOf(files), `${folder} of ${run.image.id}`),
      )
    rmSync(join(files, 'f12'))
    const fewer = await sending(bench, context, 'COPY files /files')
    await withRoot(bench, fewer, (root) => assert.deepEqual(contentOf(join(root, 'files')), contentOf(files)))
    assert.deepEqual(readdirSync(join(bench.folder, 'data/builder/contexts')), [])
  }),
)

test(
  'a context of several stretches is taken from the layer that has it, also under a new name',
  { timeout: 120_000 },
  () =>
    withBench(WORKER, async (bench, context) => {
      const files = join(context, 'files')
      const inner = Array.from({ length: 6 }, (_, at) => join(files, `d${at}`))
      for (const path of inner) {
        mkdirSync(path, { recursive: true, mode: 0o750 })
        for (const name of NAMES.slice(0, 50)) writeFileSync(join(path, name), `${name} `.repeat(400))
        symlinkSync('../d0/f1', join(path, 'link'))
      }
      const old = new Date(1_600_000_000_000)
      for (const path of inner) utimesSync(path, old, old)
      for (const name of NAMES) writeFileSync(join(files, name), name)
      const first = await sending(bench, context, 'COPY files /files')
      const before = await inodes(bench, first, 'files')
      // the layer is found by what it holds: by that, its files are known for this name too
      const renamed = await sendingAs('other', bench, context, 'COPY files /files')
      assert.equal(renamed.image.id, first.image.id)
      writeFileSync(join(files, 'd3/f7'), 'changed')
      const second = await sendingAs('other', bench, context, 'COPY files /files')
      assert.deepEqual(await inodes(bench, second, 'files'), before)
      rmSync(join(files, 'd4'), { recursive: true })
      chmodSync(join(files, 'd2'), 0o711)
      const third = await sendingAs('other', bench, context, 'COPY files /files')
      assert.deepEqual(await inodes(bench, third, 'files'), before)
      for (const run of [first, second, third]) await assertPackable(bench, run, 'several stretches')
      await withRoot(bench, third, (root) => {
        const sent = factsOf(context, 'files').map((line) => line.replace(/ \d+:\d+/, ''))
        assert.deepEqual(
          factsOf(root, 'files')
            .slice(1)
            .map((line) => line.replace(/ \d+:\d+/, '')),
          sent.slice(1),
        )
      })
      const same = await sendingAs('other', bench, context, 'COPY files /files')
      assert.equal(same.image.id, third.image.id)
      // where the files are wanted on another root they are all there
      const elsewhere = await sendingAs('other', bench, context, 'RUN true > /made', 'COPY files /files')
      await assertPackable(bench, elsewhere, 'on another root')
      const look = (run: BuildRun): Promise<readonly string[]> =>
        withRoot(bench, run, (root) => factsOf(root, 'files').slice(1))
      assert.deepEqual(await look(elsewhere), await look(third))
    }),
)

/** Bytes that this process, its threads and the children that it has waited for have handed to write calls. */
function bytesWritten(): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
}

test('a file of a context that came as a tar is written once, also where it is copied alone', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const size = 32 << 20
    writeFileSync(join(context, 'big'), Buffer.alloc(size, 'not a hole'))
    const before = bytesWritten()
    const run = await sending(bench, context, 'COPY big /deep/down/big')
    const written = bytesWritten() - before
    await withRoot(bench, run, (root) => assert.equal(statSync(join(root, 'deep/down/big')).size, size))
    // by tar, into the pipe on which the builder gets it, and into the file
    assert.ok(written < size * 3.5, `${written} bytes for ${size}`)
  }),
)

/** Names, modes, times and bytes of the files in a folder. */
function contentOf(folder: string): readonly string[] {
  return readdirSync(folder).map((name) => {
    const path = join(folder, name)
    const { mode, mtimeNs } = statSync(path, { bigint: true })
    return `${name} ${mode} ${mtimeNs} ${readFileSync(path, 'utf8')}`
  })
}
