import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CommandError } from '#builder'
import { parseReference } from '#oci'
import { dockerfile, withBench, withRoot } from '#test/build-bench'
import { ownMountNamespace } from '#test/mount-namespace'

ownMountNamespace()

const WORKER = new URL('builder.test-worker.ts', import.meta.url)

test('build() runs commands, copies files, and keeps settings in the config', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    writeFileSync(join(context, 'hello.txt'), 'hello\n')
    chmodSync(join(context, 'hello.txt'), 0o640)
    utimesSync(join(context, 'hello.txt'), 1e9, 1e9)
    const run = await bench.build({
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile(
        'FROM busybox',
        'ARG WHO=world',
        'ENV A=1',
        'RUN echo hi $WHO $A > /x && cat /x',
        'COPY --chown=7:8 hello.txt /deep/er/',
        'WORKDIR /w',
        'CMD ["cat", "/x"]',
      ),
      tags: [parseReference('first'), parseReference('second:2')],
      buildArgs: { WHO: 'you' },
      labels: { l: 'v' },
    })
    assert.equal(run.output, 'hi you 1\n')
    const base = await bench.images.open((await bench.images.resolve('busybox')).id)
    assert.equal(run.image.config.rootfs.diff_ids.length, base.config.rootfs.diff_ids.length + 3)
    assert.deepEqual(run.image.config.config.Cmd, ['cat', '/x'])
    assert.deepEqual(run.image.config.config.Labels, { l: 'v' })
    assert.equal(run.image.config.config.WorkingDir, '/w')
    const written = run.image.config.history.slice(base.config.history.length).map((entry) => entry.created_by)
    assert.deepEqual(written.slice(0, 3), [
      '/bin/sh -c #(nop)  ARG WHO=world',
      '/bin/sh -c #(nop)  ENV A=1',
      '|1 WHO=you /bin/sh -c echo hi $WHO $A > /x && cat /x',
    ])
    assert.match(written[3] ?? '', /^\/bin\/sh -c #\(nop\) COPY --chown=7:8 file:[0-9a-f]{64} in \/deep\/er\/ $/)
    assert.deepEqual(written.slice(4), [
      '/bin/sh -c #(nop) WORKDIR /w',
      '/bin/sh -c #(nop)  CMD ["cat" "/x"]',
      '/bin/sh -c #(nop)  LABEL l=v',
    ])
    await withRoot(bench, run, (root) => {
      const stat = statSync(join(root, 'deep/er/hello.txt'))
      assert.deepEqual([stat.mode & 0o7777, stat.uid, stat.gid, stat.mtimeMs], [0o640, 7, 8, 1e12])
      assert.equal(readFileSync(join(root, 'deep/er/hello.txt'), 'utf8'), 'hello\n')
    })
    assert.equal((await bench.images.resolve('second:2')).id, run.image.id)
  }),
)

test('build() again gives the equal image from the cache, and starts nothing', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const file = join(context, 'f')
    writeFileSync(file, '1')
    const request = {
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile('FROM busybox', 'LABEL a=b', 'COPY . /c', 'RUN cat /c/f > /out', 'CMD ["x"]'),
    } as const
    const first = await bench.build(request)
    assert.equal(bench.started.length, 1)
    utimesSync(file, 5, 5)
    const second = await bench.build(request)
    assert.equal(second.image.id, first.image.id)
    assert.equal(bench.started.length, 1)
    assert.deepEqual(
      second.events.filter((event) => event.kind === 'cached').map((event) => event.step),
      [2, 3, 4, 5],
    )
    writeFileSync(file, '2')
    const third = await bench.build(request)
    assert.notEqual(third.image.id, first.image.id)
    assert.equal(bench.started.length, 2)
    const fourth = await bench.build({ ...request, noCache: true })
    assert.equal(bench.started.length, 3)
    assert.equal(
      fourth.events.some((event) => event.kind === 'cached'),
      false,
    )
  }),
)

test('a failed command is a CommandError and leaves nothing', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const build = bench.build({
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile('FROM busybox', 'RUN echo out; exit 3'),
    })
    await assert.rejects(build, (error) => {
      assert.ok(error instanceof CommandError)
      assert.equal(error.message, "The command '/bin/sh -c echo out; exit 3' returned a non-zero code: 3")
      assert.equal(error.exitCode, 3)
      return true
    })
  }),
)

test('stages: copies between them, unneeded ones left out, settings inherited', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const run = await bench.build({
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile(
        'FROM busybox AS one',
        'ENV E=1',
        'RUN mkdir -p /d/e && echo 1 > /d/f && ln -s f /d/l && chown 5:6 /d/f',
        'FROM busybox AS unused',
        'RUN exit 1',
        'FROM one AS two',
        'RUN echo $E > /e',
        'FROM scratch',
        'COPY --from=one /d /d/',
        'COPY --from=two /e /e',
        'COPY --from=busybox /bin/busybox /b',
      ),
    })
    assert.equal(run.image.config.rootfs.diff_ids.length, 3)
    await withRoot(bench, run, (root) => {
      assert.equal(statSync(join(root, 'd/f')).uid, 5)
      assert.equal(readFileSync(join(root, 'd/l'), 'utf8'), '1\n')
      assert.equal(readFileSync(join(root, 'e'), 'utf8'), '1\n')
    })
  }),
)

test('equal steps of two builds at once run once', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const request = {
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile('FROM busybox', 'RUN sleep 0.3; echo x > /x', 'RUN echo y > /y'),
    } as const
    const [left, right] = await Promise.all([bench.build(request), bench.build(request)])
    assert.equal(bench.started.length, 2)
    assert.equal(left?.image.id, right?.image.id)
  }),
)

test('equal steps on equal copies run once too, though each build copied for itself', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const requests = ['one', 'two'].map((name) => {
      const path = join(context, name)
      mkdirSync(path)
      writeFileSync(join(path, 'f'), 'f')
      utimesSync(join(path, 'f'), 1e9, 1e9)
      return {
        context: { kind: 'folder', path },
        dockerfile: dockerfile('FROM busybox', 'COPY f /f', 'RUN sleep 1; echo x > /x'),
      } as const
    })
    const first = bench.build(requests[0]!)
    while (bench.started.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    const [left, right] = await Promise.all([first, bench.build(requests[1]!)])
    assert.equal(bench.started.length, 1)
    assert.deepEqual(right.image.config.rootfs, left.image.config.rootfs)
  }),
)

test('a command that changes nothing makes no layer, but a history entry', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const request = {
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile('FROM busybox', 'RUN true', 'WORKDIR /tmp', 'RUN echo > /x'),
    } as const
    const run = await bench.build(request)
    assert.deepEqual(
      run.image.config.history.slice(1).map((entry) => entry.empty_layer ?? false),
      [true, true, false],
    )
    assert.equal(run.image.config.rootfs.diff_ids.length, 2)
    const again = await bench.build(request)
    assert.equal(again.image.id, run.image.id)
    assert.equal(bench.started.length, 2)
  }),
)

test('ONBUILD runs right after the child begins, once, and not in grandchildren', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const from = { kind: 'folder', path: context } as const
    await bench.build({
      context: from,
      dockerfile: dockerfile('FROM busybox', 'ONBUILD ENV T=1', 'ONBUILD RUN echo $T >> /t', 'ONBUILD COPY . /ctx'),
      tags: [parseReference('parent')],
    })
    writeFileSync(join(context, 'f'), 'f')
    const child = await bench.build({
      context: from,
      dockerfile: dockerfile('FROM parent', 'RUN cat /t /ctx/f'),
      tags: [parseReference('child')],
    })
    assert.equal(child.output, '# Executing 3 build triggers\n1\nf')
    assert.equal(child.image.config.config.OnBuild, undefined)
    const grandchild = await bench.build({ context: from, dockerfile: dockerfile('FROM child', 'RUN cat /t') })
    assert.equal(grandchild.output, '1\n')
  }),
)

test('the cache keeps its layers until it is pruned, and survives a collection', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const request = {
      context: { kind: 'folder', path: context },
      dockerfile: dockerfile('FROM busybox', 'RUN echo > /x', 'RUN echo > /y'),
    } as const
    const first = await bench.build(request)
    await bench.images.remove(first.image.id)
    await bench.garbage.collect()
    const second = await bench.build(request)
    assert.equal(second.image.id, first.image.id)
    assert.equal(bench.started.length, 2)
    await bench.images.remove(first.image.id)
    const pruned = await bench.builder.prune({ all: true })
    assert.equal(pruned.removed.length, 2)
    assert.ok(pruned.bytes > 0)
    await bench.garbage.collect()
    assert.deepEqual(await bench.builder.cacheUsage(), [])
    await bench.build(request)
    assert.equal(bench.started.length, 4)
  }),
)

test('a cancelled build stops its command and leaves nothing', { timeout: 60_000 }, () =>
  withBench(WORKER, async (bench, context) => {
    const stop = new AbortController()
    const build = bench.build(
      { context: { kind: 'folder', path: context }, dockerfile: dockerfile('FROM busybox', 'RUN sleep 30') },
      stop.signal,
    )
    while (bench.started.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    stop.abort()
    await assert.rejects(build, { kind: 'cancelled' })
    await bench.garbage.collect()
    assert.deepEqual(readdirSync(join(bench.folder, 'roots')), [])
  }),
)

test('the cache is bounded: what was not used for longest goes first', { timeout: 60_000 }, () =>
  withBench(
    WORKER,
    async (bench, context) => {
      const lines = ['FROM busybox', 'RUN echo 1 > /a', 'RUN echo 2 > /b', 'RUN echo 3 > /c']
      await bench.build({ context: { kind: 'folder', path: context }, dockerfile: dockerfile(...lines) })
      const kept = await bench.builder.cacheUsage()
      assert.deepEqual(
        kept.map((record) => record.description),
        ['RUN echo 3 > /c'],
      )
    },
    // each layer holds two bytes
    { cacheLimit: 3 },
  ),
)
