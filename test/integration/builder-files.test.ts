import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { bytesOf, notFound } from '#base'
import { DockerfileError } from '#dockerfile'
import { makeDevice, makeNode } from '#kernel'
import { dockerfile, withBench, withRoot } from '#test/build-bench'
import { ownMountNamespace } from '#test/mount-namespace'

ownMountNamespace()

const WORKER = new URL('builder.test-worker.ts', import.meta.url)

test('COPY follows Docker: links, folders, wildcards, ignored files, heredocs, chmod', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    mkdirSync(join(context, 'dir/sub'), { recursive: true })
    writeFileSync(join(context, 'dir/a'), 'a')
    writeFileSync(join(context, 'dir/b.md'), 'b')
    symlinkSync('dir/a', join(context, 'link'))
    symlinkSync('/etc/passwd', join(context, 'dir/abs'))
    writeFileSync(join(context, '.dockerignore'), '*.md\n**/*.md\n!dir/keep.md\n')
    writeFileSync(join(context, 'dir/keep.md'), 'k')
    const run = await bench.build({
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile(
        'FROM busybox',
        'RUN mkdir /real && ln -s real /alias && ln -s nowhere /dangling && mkdir -p /repl/a',
        'COPY dir /alias',
        'COPY link /linked',
        'COPY dir/a /dangling',
        'COPY --chmod=u=rwX,go= d* /glob/',
        'ENV V=value',
        'COPY <<one <<"two" /here/',
        'text $V',
        'one',
        'text $V',
        'two',
      ),
    })
    await withRoot(bench, run, (root) => {
      const read = (path: string) => readFileSync(join(root, path), 'utf8')
      assert.equal(read('real/a'), 'a')
      assert.equal(read('real/keep.md'), 'k')
      assert.throws(() => read('real/b.md'))
      assert.equal(read('linked'), 'a')
      assert.equal(read('nowhere'), 'a')
      assert.equal(statSync(join(root, 'glob/a')).mode & 0o7777, 0o600)
      assert.equal(read('here/one'), 'text value\n')
      assert.equal(read('here/two'), 'text $V\n')
    })
    const missing = bench.build({
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile('FROM busybox', 'COPY dir/b.md /'),
    })
    await assert.rejects(missing, (error) => {
      assert.ok(error instanceof DockerfileError)
      assert.match(
        error.message,
        /^COPY failed: file not found in build context or excluded by .dockerignore: stat dir\/b.md/,
      )
      assert.match(error.message, /Dockerfile:2\n/)
      return true
    })
  }),
)

test('a context that comes as a tar is unpacked and stays inside', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    mkdirSync(join(context, 'sub'))
    writeFileSync(join(context, 'sub/f'), 'f')
    symlinkSync('/etc', join(context, 'out'))
    writeFileSync(join(context, 'Other'), 'FROM busybox\nCOPY sub /sub\n')
    for (const form of ['-c', '-cz', '-c --zstd']) {
      const bytes = execFileSync('tar', [...form.split(' '), '-C', context, '.'])
      const run = await bench.build({
        context: { kind: 'tar', bytes: bytesOf(bytes) },
        dockerfile: { path: 'Other' },
      })
      await withRoot(bench, run, (root) => assert.equal(readFileSync(join(root, 'sub/f'), 'utf8'), 'f'))
    }
    const escape = bench.build({
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile('FROM busybox', 'COPY out/hostname /x'),
    })
    await assert.rejects(escape, DockerfileError)
    const hostile = execFileSync('tar', ['-c', '-C', context, '--transform', 's,^sub,../../sub,', '-P', 'sub'])
    const build = bench.build({ context: { kind: 'tar', bytes: bytesOf(hostile) } })
    await assert.rejects(build, /leaves the root/)
    assert.deepEqual(readdirSync(bench.folder).toSorted(), ['context', 'data', 'look'])
    assert.deepEqual(readdirSync(join(bench.folder, 'data/builder/contexts')), [])
  }),
)

test('ADD unpacks archives by their content, COPY does not', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    mkdirSync(join(context, 'in/d'), { recursive: true })
    writeFileSync(join(context, 'in/d/f'), 'f')
    execFileSync('tar', ['-cf', join(context, 'plain'), '-C', join(context, 'in'), '--owner=7', '--group=8', 'd'])
    execFileSync('tar', ['-czf', join(context, 'packed'), '-C', join(context, 'in'), 'd'])
    writeFileSync(join(context, 'a.tar.gz'), '')
    writeFileSync(join(context, 'text.gz'), gzipSync('text'))
    const request = {
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile(
        'FROM busybox',
        'ADD plain /plain',
        'ADD packed a.tar.gz text.gz /packed/',
        'COPY plain /copied',
        'ADD in /in/',
      ),
    } as const
    const run = await bench.build(request)
    await withRoot(bench, run, (root) => {
      assert.equal(statSync(join(root, 'plain/d/f')).uid, 7)
      assert.equal(readFileSync(join(root, 'packed/d/f'), 'utf8'), 'f')
      assert.deepEqual(readdirSync(join(root, 'packed')).toSorted(), ['a.tar.gz', 'd', 'text.gz'])
      assert.ok(statSync(join(root, 'copied')).isFile())
      assert.equal(readFileSync(join(root, 'in/d/f'), 'utf8'), 'f')
    })
    assert.equal((await bench.build(request)).image.id, run.image.id)
  }),
)

test('a changed file is seen, though size and time are the same', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const file = join(context, 'f')
    const request = {
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile('FROM scratch', 'COPY f /'),
    } as const
    writeFileSync(file, 'one')
    utimesSync(file, 1e9, 1e9)
    const first = await bench.build(request)
    writeFileSync(file, 'two')
    utimesSync(file, 1e9, 1e9)
    const second = await bench.build(request)
    assert.notEqual(second.image.id, first.image.id)
    await withRoot(bench, second, (root) => assert.equal(readFileSync(join(root, 'f'), 'utf8'), 'two'))
  }),
)

test('devices in the place of small files are not read: ignore rules, Dockerfiles, passwd', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    mkdirSync(join(context, 'etc'))
    writeFileSync(join(context, 'a'), 'a')
    for (const name of ['.dockerignore', 'Zero', 'etc/passwd'])
      makeNode(join(context, name), constants.S_IFCHR | 0o666, makeDevice(1, 5))
    const built = await bench.build({
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile('FROM scratch', 'COPY a /a'),
    })
    await withRoot(bench, built, (root) => assert.equal(readFileSync(join(root, 'a'), 'utf8'), 'a'))
    const fileIsDevice = { context: { kind: 'folder', path: context }, dockerfile: { path: 'Zero' } } as const
    await assert.rejects(bench.build(fileIsDevice), { kind: 'invalid' })
    const usersAreDevice = {
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile('FROM scratch', 'COPY etc /etc', 'COPY --chown=somebody a /a'),
    } as const
    await assert.rejects(bench.build(usersAreDevice), /no such user: somebody/)
  }),
)

const MODIFIED = Date.UTC(2024, 0, 3) / 1000

/** A stand-in of the web: what was asked for comes back. */
const webFetch = async (address: string) => {
  if (address.endsWith('/gone')) throw notFound('page', address)
  return {
    lastModified: MODIFIED * 1000,
    name: 'named',
    body: bytesOf(`bytes of ${address}`),
    async [Symbol.asyncDispose]() {},
  }
}

test('ADD fetches files of the web: owner, mode, time, name, checksum', { timeout: 60_000 }, () =>
  withBench(
    WORKER,
    async (bench, context) => {
      writeFileSync(join(context, 'local'), 'l')
      const digest = createHash('sha256').update('bytes of http://host/f').digest('hex')
      const built = await bench.build({
        context: { kind: 'folder', path: context },
        dockerfile: dockerfile(
          'FROM busybox',
          'ADD http://host/a%2Ab.tar?q=1 local http://host/folder/ /both/',
          'ADD --chmod=644 --chown=7:8 http://host/x /plain',
          `ADD --checksum=sha256:${digest} http://host/f /`,
        ),
      })
      await withRoot(bench, built, (root) => {
        const at = (path: string) => statSync(join(root, path))
        assert.deepEqual(readdirSync(join(root, 'both')), ['a*b.tar', 'local', 'named'])
        assert.equal(readFileSync(join(root, 'both/a*b.tar'), 'utf8'), 'bytes of http://host/a%2Ab.tar?q=1')
        assert.equal(at('both/named').mode & 0o7777, 0o600)
        assert.equal(at('both/named').mtimeMs / 1000, MODIFIED)
        assert.deepEqual([at('plain').mode & 0o7777, at('plain').uid, at('plain').gid], [0o644, 7, 8])
      })
      const refused = (...lines: readonly string[]) =>
        bench.build({ context: { kind: 'folder', path: context }, dockerfile: dockerfile('FROM busybox', ...lines) })
      await assert.rejects(refused(`ADD --checksum=sha256:${digest} http://host/x /`), /ADD failed: digest mismatch/)
      await assert.rejects(refused('ADD http://host/gone /'), /ADD failed: No such page/)
      await assert.rejects(refused('COPY http://host/f /'), /source can't be a URL for COPY/)
      await assert.rejects(refused('ADD https://host/name.git /'), /not carried out yet/)
    },
    { fetch: webFetch },
  ),
)
