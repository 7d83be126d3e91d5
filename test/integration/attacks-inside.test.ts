import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker, Outcome } from '#test/docker'
import { dockerClient } from '#test/docker'
import { unpackRoot } from '#test/images'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

/* What a process finds inside, whatever its image says, and what it and other users of the machine reach of the engine. */

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
const UP = '/..'.repeat(12)
let daemon: TestDaemon
let docker: Docker
let port = 0
/** Before there was a daemon. */
let abstractBefore: ReadonlySet<string>

before(async () => {
  abstractBefore = new Set(abstractNames(readFileSync('/proc/net/unix', 'utf8')))
  daemon = await startDaemon({ folder: folder.path, flags: ['-H', 'tcp://127.0.0.1:0'] })
  docker = dockerClient(daemon.host)
  port = await until('the port is said', () => Number(/tcp:\/\/127\.0\.0\.1:(\d+)/.exec(daemon.log())?.[1] ?? 0))
  await docker.ok('pull', '-q', 'busybox')
})

after(async () => {
  docker[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

const attempt = (...args: readonly string[]): Promise<Outcome> => docker.run(args, { timeout: 30_000 })

const STATUS = ['grep', '-E', '^(Groups|Cap|NoNewPrivs|Seccomp:)', '/proc/self/status']

/** Without blanks. */
const statusOf = async (...args: readonly string[]): Promise<string> =>
  (await docker.ok(...args, ...STATUS)).replaceAll(/[\t ]+/g, ' ')

test('capabilities, groups and filters are those of Docker, for every user and by every way in', async () => {
  const id = await docker.ok('run', '-d', 'busybox', 'sleep', '1000')
  const some = '00000000a80425fb'
  const none = '0000000000000000'
  const ways: readonly (readonly [readonly string[], string, string])[] = [
    [['run', '--rm', 'busybox'], some, some],
    [['exec', id], some, some],
    [['run', '--rm', '-u', '1000', 'busybox'], none, some],
    [['exec', '-u', '1000', id], none, some],
    [['run', '--rm', '--cap-drop', 'all', 'busybox'], none, none],
  ]
  for (const [args, effective, bounding] of ways) {
    const status = await statusOf(...args)
    for (const [name, set] of Object.entries({ Inh: none, Prm: effective, Eff: effective, Bnd: bounding, Amb: none }))
      assert.match(status, new RegExp(`Cap${name}: ${set}`), `${args.join(' ')} ${name}`)
    assert.match(status, /Seccomp: 2/, args.join(' '))
  }
  assert.match(await statusOf('run', '--rm', '-u', '1000', 'busybox'), /^Groups: 0 *$/m)
  assert.match(await statusOf('exec', '-u', '1000:1000', id), /^Groups: 1000 *$/m)
  assert.doesNotMatch(await statusOf('exec', '--privileged', id), /CapEff: 00000000a80425fb/)
  await docker.ok('rm', '-f', id)
})

test('nothing of the kernel or of its control group can be changed from inside', async () => {
  const script = `for file in /proc/sys/kernel/domainname /proc/sysrq-trigger /proc/bus/x /sys/kernel/x \
      /proc/irq/x /proc/fs/x /sys/firmware/x; do { echo x >$file; } 2>/dev/null && echo "written: $file"; done
    for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
      [ -e $tree/cgroup.procs ] && mkdir $tree/mine 2>/dev/null && echo 'a control group'; done; mount -t tmpfs x /mnt 2>/dev/null && echo mounted
    find /sys/fs/cgroup -name release_agent -exec sh -c 'echo /x >{}' \\; 2>/dev/null; mknod /tmp/sda b 8 0 && head -c 1 /tmp/sda 2>&1
    for file in kcore keys timer_list sched_debug; do cat /proc/$file 2>/dev/null | head -c 10 | wc -c; done; echo end`
  const id = await docker.ok('run', '-d', 'busybox', 'sleep', '1000')
  for (const args of [
    ['run', '--rm', 'busybox'],
    ['exec', id],
  ]) {
    const { stdout } = await attempt(...args, 'sh', '-c', script)
    assert.doesNotMatch(stdout, /written|control group|mounted/)
    assert.match(stdout, /not permitted|denied/)
    assert.match(stdout, /0\n0\n0\n0\nend\n$/)
  }
  await docker.ok('rm', '-f', id)
})

test('a program that is /proc/self/exe never is the runtime, nor can it be written', async () => {
  const programs = ['crun', 'runc', 'conmon'].flatMap((name) => {
    const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim()
    return found === '' ? [] : [realpathSync(found)]
  })
  const sums = (): readonly string[] =>
    programs.map((path) => createHash('sha256').update(readFileSync(path)).digest('hex'))
  const before = sums()
  const write =
    'for f in /proc/[0-9]*/exe /proc/self/exe /proc/1/exe; do echo harmful >$f; cat ./evil >$f; done 2>/dev/null; true'
  const id = await docker.ok('run', '-d', 'busybox', 'sh', '-c', `while true; do ${write}; done`)
  const script = `printf '#!/proc/self/exe\\n' >/bin/self; chmod 755 /bin/self; ln -sf /proc/self/exe /bin/link`
  await docker.ok('exec', id, 'sh', '-c', script)
  for (const program of ['/bin/self', '/bin/link', '/proc/self/exe']) await attempt('exec', id, program, '--version')
  await docker.ok('commit', '-p=false', id, 'selves')
  for (const program of ['/bin/self', '/proc/self/exe'])
    assert.doesNotMatch(
      (await attempt('run', '--rm', '--entrypoint', program, 'selves', '--version')).stdout,
      /crun|runc/,
    )
  assert.deepEqual(sums(), before)
  assert.equal(await docker.ok('exec', id, 'echo', 'as ever'), 'as ever')
  await docker.ok('rm', '-f', id)
})

test('in the network of the host no socket of the engine is found by an abstract name', async () => {
  // The resolver, a terminal and a published port have sockets too.
  await docker.ok('network', 'create', 'own')
  const other = await docker.ok('run', '-dt', '--network', 'own', '-p', '127.0.0.1::80', 'busybox', 'sleep', '1000')
  const id = await docker.ok('run', '-d', '--network', 'host', 'busybox', 'sleep', '1000')
  const seen = await docker.ok('exec', id, 'cat', '/proc/net/unix')
  assert.match(seen, /\/mica\.sock$/m)
  assert.deepEqual(
    abstractNames(seen).filter((name) => !abstractBefore.has(name)),
    [],
  )
  await docker.ok('rm', '-f', id, other)
  await docker.ok('network', 'rm', 'own')
})

function abstractNames(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => / (@\S*)$/.exec(line)?.[1] ?? [])
}

test('the engine’s port is not reached from containers, but by the loopback of the host', async () => {
  const gateway = await docker.ok('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Gateway}}', 'bridge')
  const script = `for host in 127.0.0.1 ${gateway} 169.254.169.254; do timeout 2 wget -q -O - http://$host:${port}/_ping && echo "by $host"
    timeout 2 nc $host ${port} </dev/null >/dev/null 2>&1 && echo "connected to $host"; done; true`
  assert.equal(await docker.ok('run', '--rm', 'busybox', 'sh', '-c', script), '')
  const host = await docker.ok('run', '--rm', '--network', 'host', 'busybox', 'sh', '-c', script)
  assert.match(host, /by 127\.0\.0\.1\nconnected to 127\.0\.0\.1/)
})

test('another user of the machine neither lists nor reads what the engine keeps, nor calls it', async () => {
  const id = await docker.ok(
    'run',
    '-d',
    '-v',
    'kept:/kept',
    'busybox',
    'sh',
    '-c',
    'echo hidden | tee /kept/file /file; sleep 1000',
  )
  await until('it is written', async () => (await attempt('exec', id, 'cat', '/kept/file')).code === 0)
  const as = (script: string): string =>
    spawnSync('sh', ['-c', script], { uid: 65_534, gid: 65_534, encoding: 'utf8' }).stdout
  // The test's own folder is no wall here.
  chmodSync(folder.path, 0o711)
  writeFileSync(folder.join('anybody'), 'seen', { mode: 0o644 })
  assert.equal(as(`cat ${folder.join('anybody')}`), 'seen')
  for (const root of [daemon.dataRoot, daemon.execRoot])
    assert.doesNotMatch(
      as(`find ${root} 2>/dev/null; ls ${root}/* ${root}/*/* 2>/dev/null`),
      new RegExp(`${root}/\\w+/`),
      root,
    )
  const short = id.slice(0, 12)
  const known = [`${daemon.execRoot}/r/${short}/root/file`, `${daemon.execRoot}/c/${short}/config.json`]
  const snapshots = join(daemon.dataRoot, 'snapshots')
  const tree = readdirSync(snapshots)
    .map((name) => join(snapshots, name, 'fs'))
    .find((path) => existsSync(`${path}/file`))
  const log = await docker.ok('inspect', '-f', '{{.LogPath}}', id)
  const names = [...known, `${tree}/file`, log, `${daemon.dataRoot}/containers/${id}/hosts`]
  // Names that are known or guessed, of files that are there.
  for (const path of [`${tree}/file`, log]) assert.ok(existsSync(path), path)
  for (const path of names) assert.equal(as(`cat ${path} 2>/dev/null`), '', path)
  assert.equal(as(`cat ${daemon.dataRoot}/volumes/kept/_data/file ${daemon.dataRoot}/engine.db 2>/dev/null`), '')
  assert.equal(as(`curl -s --unix-socket ${daemon.socket} http://x/_ping`), '')
  assert.equal(await docker.ok('exec', id, 'cat', '/file'), 'hidden')
  await docker.ok('rm', '-f', id)
  await docker.ok('volume', 'rm', 'kept')
})

test('of many that start at once each has its own environment, and nobody else’s', async () => {
  const numbers = Array.from({ length: 12 }, (_, n) => n)
  await Promise.all(
    numbers.map(async (n) => {
      const id = await docker.ok('run', '-d', '-e', `SECRET_${n}=canary-${n}-`, 'busybox', 'sleep', '1000')
      const own = await docker.ok('exec', '-e', `EXEC_${n}=canary-${n}-`, id, 'env')
      assert.deepEqual(new Set(own.match(/canary-\d+-/g)), new Set([`canary-${n}-`]))
      const all = await docker.ok('exec', id, 'sh', '-c', 'cat /proc/*/environ')
      assert.deepEqual(new Set(all.match(/canary-\d+-/g)), new Set([`canary-${n}-`]))
      await docker.ok('rm', '-f', id)
    }),
  )
})

test('a step of a build on an image of links stays inside, and works on an ordinary one', async () => {
  const outside = folder.join('outside')
  mkdirSync(outside)
  writeFileSync(`${outside}/secret`, 'of the host')
  const context = folder.join('context')
  mkdirSync(context)
  writeFileSync(join(context, 'file'), 'copied')
  const build = async (from: string, ...lines: readonly string[]): Promise<Outcome> => {
    writeFileSync(join(context, 'Dockerfile'), [`FROM ${from}`, ...lines].join('\n'))
    return await attempt('build', '--no-cache', '-q', '-t', 'built', context)
  }
  const root = unpackRoot('busybox', folder.join('root'))
  const links = { proc: outside, sys: outside, dev: outside, 'etc/hosts': `${outside}/hosts`, out: outside }
  for (const [name, target] of Object.entries(links)) {
    mkdirSync(join(root, name, '..'), { recursive: true })
    rmSync(join(root, name), { recursive: true, force: true })
    symlinkSync(`${UP}${target}`, join(root, name))
  }
  const tar = folder.join('root.tar')
  execFileSync('tar', ['--numeric-owner', '-C', root, '-cf', tar, '.'])
  await docker.ok('import', tar, 'linked')
  const steps = [
    `RUN cat /out/secret ${outside}/secret; rm -rf /out/* /etc/hosts /etc/resolv.conf /proc /sys /dev; true`,
    'RUN rm -rf /tmp; ln -s / /tmp; rm -f /etc/hosts; ln -s /etc/passwd /etc/hosts; true',
    'COPY file /out/made',
    'ADD file /out/deep/',
    'WORKDIR /out/folder',
    'VOLUME /out/volume',
    `COPY file ${UP}${outside}/up`,
  ]
  for (const step of steps) {
    const { stdout, stderr } = await build('linked', step)
    assert.doesNotMatch(stdout + stderr, /of the host/, step)
    assert.deepEqual(readdirSync(outside), ['secret'], step)
    assert.equal(readFileSync(`${outside}/secret`, 'utf8'), 'of the host')
  }
  assert.ok(existsSync('/etc/hosts') && existsSync('/proc/self'))
  const plain = await build(
    'busybox',
    'RUN ln -s /tmp /short',
    'COPY file /short/deep/',
    'RUN cat /tmp/deep/file /etc/hosts',
  )
  assert.equal(plain.code, 0, plain.stderr)
  assert.equal(await docker.ok('run', '--rm', 'built', 'cat', '/tmp/deep/file'), 'copied')
})

test('a step of a build has no descriptor of the engine, and no working folder leads to one', async () => {
  const context = folder.join('steps')
  mkdirSync(context)
  const outside = folder.join('beyond')
  mkdirSync(outside)
  writeFileSync(`${outside}/secret`, 'of the host')
  const build = async (...lines: readonly string[]): Promise<Outcome> => {
    writeFileSync(join(context, 'Dockerfile'), ['FROM busybox', ...lines].join('\n'))
    return await attempt('build', '--no-cache', '-t', 'built', context)
  }
  const listed = await build('RUN ls -l /proc/self/fd && echo "open: "$(ls /proc/self/fd)')
  assert.equal(listed.code, 0, listed.stderr)
  // The fourth is the folder that ls reads, or the pipe of the shell.
  assert.match(listed.stdout, /open: 0 1 2 3$/m)
  assert.doesNotMatch(listed.stdout, /memfd|crun|cgroup|-> \/var\//)
  for (const place of ['/proc/self/fd', '/proc/1/fd', '/dev/fd'])
    for (const number of [3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20]) {
      const { stdout } = await build(
        `WORKDIR ${place}/${number}`,
        `RUN pwd; cat ./${'../'.repeat(12)}${outside}/secret ./secret; true`,
      )
      assert.doesNotMatch(stdout, /of the host/, `${place}/${number}`)
    }
  const plain = await build('WORKDIR /new/folder', 'RUN pwd')
  assert.match(plain.stdout, /^\/new\/folder$/m)
})
