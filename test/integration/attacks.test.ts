import { makeNode } from '#kernel'
import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker, Outcome } from '#test/docker'
import { dockerClient } from '#test/docker'
import { unpackRoot } from '#test/images'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

/*
 * Images and processes that want out. Beside each attack stands the ordinary use that a wall against it must not break.
 * `outside` is the host's: nobody may read its secret, write to it or run there.
 */

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
const outside = folder.join('outside')
const UP = '/..'.repeat(12)
let daemon: TestDaemon
let docker: Docker

before(async () => {
  mkdirSync(outside)
  writeFileSync(`${outside}/secret`, 'of the host')
  daemon = await startDaemon({ folder: folder.path, flags: ['--log-level', 'debug'] })
  docker = dockerClient(daemon.host)
  await docker.ok('pull', '-q', 'busybox')
})

after(async () => {
  docker[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

function assertOutsideUntouched(): void {
  assert.deepEqual(readdirSync(outside), ['secret'])
  assert.equal(readFileSync(`${outside}/secret`, 'utf8'), 'of the host')
}

const attempt = (...args: readonly string[]): Promise<Outcome> => docker.run(args, { timeout: 30_000 })

/** Imports busybox with changes to its tree, and to its config as Dockerfile lines. */
async function image(name: string, change: (root: string) => void, ...lines: readonly string[]): Promise<string> {
  const root = unpackRoot('busybox', folder.join(`root-${name}`))
  change(root)
  const tar = folder.join(`${name}.tar`)
  execFileSync('tar', ['--numeric-owner', '--sparse', '-C', root, '-cf', tar, '.'])
  await docker.ok('import', ...['ENV PATH=/bin', ...lines].flatMap((line) => ['-c', line]), tar, name)
  rmSync(root, { recursive: true })
  rmSync(tar)
  return name
}

test('no descriptor of the engine is in a container, nor does a working folder lead to one', async () => {
  const list = ['sh', '-c', 'ls /proc/self/fd | tr "\\n" " "; ls -l /proc/self/fd /proc/1/fd 1>&2']
  const id = await docker.ok('run', '-d', 'busybox', 'sleep', '1000')
  for (const seen of [
    await attempt('run', '--rm', 'busybox', ...list),
    await attempt('run', '--rm', '-i', '--init', 'busybox', ...list),
    await attempt('exec', id, ...list),
    await attempt('exec', '-i', '--privileged', id, ...list),
    await attempt('exec', '-u', '1', id, ...list),
  ]) {
    // The fourth is the folder that ls reads.
    assert.equal(seen.stdout.trim(), '0 1 2 3', seen.stderr)
    assert.doesNotMatch(seen.stderr, /memfd|crun|\/var\/|mica|cgroup/)
  }
  const read = ['sh', '-c', `cat ./${'../'.repeat(12)}${outside}/secret ./secret`]
  const places = ['/proc/self/fd', '/proc/thread-self/fd', '/proc/1/fd', '/dev/fd']
  for (const place of places.flatMap((path) => [3, 7].map((number) => `${path}/${number}`))) {
    const answers = [
      await attempt('exec', '-w', place, id, ...read),
      await attempt('exec', '-w', `${place}/../../..`, id, ...read),
    ]
    if (place.startsWith('/proc/self')) answers.push(await attempt('run', '--rm', '-w', place, 'busybox', ...read))
    for (const { code, stdout } of answers) {
      assert.notEqual(code, 0, place)
      assert.doesNotMatch(stdout, /of the host/, place)
    }
  }
  assert.equal(await docker.ok('exec', '-w', '/proc/sys/net', id, 'pwd'), '/proc/sys/net')
  assert.equal(await docker.ok('run', '--rm', '-w', '/new/folder', 'busybox', 'pwd'), '/new/folder')
  await docker.ok('rm', '-f', id)
})

test('VOLUME, WORKDIR and links of an image stay below its root', async () => {
  const links = (root: string): void => {
    symlinkSync(`${UP}${outside}`, join(root, 'out'))
    symlinkSync('/tmp', join(root, 'in'))
  }
  const up = await image('up', links, `VOLUME ["${UP}${outside}/volume", "/a/../..${UP}/b", "/in/volume"]`)
  const seen = await docker.ok(
    'run',
    '--rm',
    up,
    'sh',
    '-c',
    `ls -d ${outside}/volume* /b /tmp/*; cat ${outside}/secret; true`,
  )
  assert.deepEqual(seen.split('\n').sort(), ['/b', '/tmp/volume', `${outside}/volume`])
  const out = await image('out', links, 'VOLUME /out/volume')
  assert.doesNotMatch((await attempt('run', '--rm', out, 'cat', '/out/secret')).stdout, /of the host/)
  for (const path of [`${UP}${outside}/made`, '/out/made', '/in/made', `/in${UP}${outside}/made`]) {
    const workdir = await image('workdir', links, `WORKDIR ${path}`)
    assert.equal((await attempt('run', '--rm', workdir, 'cat', 'secret')).stdout, '')
    assert.equal((await attempt('run', '--rm', '-v', `${path}:${path}`, workdir, 'cat', 'secret')).stdout, '', path)
    rmSync(`${outside}/made`, { recursive: true, force: true })
  }
  assert.equal(await docker.ok('run', '--rm', '-w', '/in/made', up, 'pwd'), '/tmp/made')
  assertOutsideUntouched()
})

test('masks that are links, and folders of the runtime that are links or files', async () => {
  const before = readFileSync('/proc/sys/kernel/core_pattern', 'utf8')
  const shapes: Readonly<Record<string, (root: string) => void>> = {
    proc: (root) => replace(root, 'proc', `${UP}${outside}`),
    sys: (root) => replace(root, 'sys', '/proc'),
    dev: (root) => replace(root, 'dev', `${UP}${outside}`),
    devices: (root) => {
      for (const name of ['null', 'console', 'pts', 'shm', 'mqueue', 'ptmx'])
        replace(root, `dev/${name}`, '/proc/sys/kernel/core_pattern')
    },
    file: (root) => {
      rmSync(join(root, 'proc'), { recursive: true, force: true })
      writeFileSync(join(root, 'proc'), '')
    },
    etc: (root) => {
      for (const name of ['hosts', 'hostname', 'resolv.conf', 'mtab'])
        replace(root, `etc/${name}`, `${UP}${outside}/${name}`)
    },
  }
  const script = `echo harmful >/proc/sys/kernel/core_pattern; echo harmful >/proc/sysrq-trigger
    ls /proc/sys/kernel >/dev/null && echo proc; cat ${outside}/secret; cat /proc/kcore | wc -c`
  for (const [name, shape] of Object.entries(shapes)) {
    const made = await image(`mask-${name}`, shape)
    const { stdout } = await attempt('run', '--rm', made, 'sh', '-c', script)
    assert.doesNotMatch(stdout, /of the host/, name)
    // A mask is empty; where nothing was started nothing is said.
    assert.match(stdout, /^(proc\n)?(0\n)?$/, name)
  }
  const { stdout } = await attempt('run', '--rm', 'busybox', 'sh', '-c', script)
  assert.equal(stdout, 'proc\n0\n')
  assert.equal(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'), before)
  assertOutsideUntouched()
})

function replace(root: string, name: string, target: string): void {
  mkdirSync(join(root, name, '..'), { recursive: true })
  rmSync(join(root, name), { recursive: true, force: true })
  symlinkSync(target, join(root, name))
}

test('an /etc/passwd or group that is huge, no file, or leads out harms nobody but its own container', async () => {
  const line = 'user:x:4321:8765::/home/user:/bin/sh\n'
  const shapes: Readonly<Record<string, (path: string) => void>> = {
    'one line of 1 GB': (path) => {
      writeFileSync(path, line)
      truncateSync(path, 2 ** 30)
    },
    'two million lines': (path) => writeFileSync(path, 'a\n'.repeat(2 << 20)),
    'one line of commas': (path) => writeFileSync(path, `user:x:1:${','.repeat(4_000_000)}\n`),
    'a link out': (path) => symlinkSync(`${UP}${outside}/secret`, path),
    'a link to the memory': (path) => symlinkSync('/proc/kcore', path),
    'a link to itself': (path) => symlinkSync('passwd', path),
    'a fifo': (path) => makeNode(path, constants.S_IFIFO | 0o666, 0),
    'a device': (path) => makeNode(path, constants.S_IFCHR | 0o666, 0x105),
    'a folder': (path) => mkdirSync(path),
  }
  for (const [what, shape] of Object.entries(shapes)) {
    const made = await image('users', (root) => {
      for (const file of ['passwd', 'group']) {
        rmSync(join(root, 'etc', file))
        shape(join(root, 'etc', file))
      }
    })
    const runs = ['0', 'user', '1:group'].map(
      async (user) => await attempt('run', '--rm', '-u', user, made, 'grep', 'Uid:', '/proc/self/status'),
    )
    const begun = performance.now()
    await daemon.call('GET', '/_ping')
    assert.ok(performance.now() - begun < 10_000, what)
    for (const { stdout, stderr } of await Promise.all(runs)) {
      assert.match(stdout, /^(Uid:(\s+[01]){4}\n)?$/, what)
      assert.doesNotMatch(stderr, /of the host|heap|panic|killed by/, what)
    }
  }
  const ordinary = await image('users', (root) => {
    writeFileSync(join(root, 'etc/passwd'), `${'somebody:x:1:1::/:/bin/sh\n'.repeat(100_000)}${line}`)
    writeFileSync(join(root, 'etc/group'), `staff:x:8765:\nmore:x:99:other,user\n`)
  })
  assert.equal(await docker.ok('run', '--rm', '-u', 'user', ordinary, 'id', '-G'), '8765 99')
})

test('users beyond the numbers there are', async () => {
  const id = await docker.ok('run', '-d', 'busybox', 'sleep', '1000')
  for (const user of [
    '4294967296',
    '4294967295',
    '2147483648',
    '-1',
    '0:4294967296',
    '99999999999999999999',
    '18446744073709551616',
  ]) {
    for (const args of [
      ['run', '--rm', '-u', user, 'busybox'],
      ['exec', '-u', user, id],
    ]) {
      const { code, stdout, stderr } = await attempt(...args, 'id', '-u')
      assert.equal(stdout, '', user)
      assert.notEqual(code, 0, user)
      assert.match(stderr, /uids and gids must be in range 0-2147483647/, user)
    }
    const made = await image('number', () => undefined, `USER ${user}`)
    assert.notEqual((await attempt('run', '--rm', made, 'id', '-u')).code, 0, user)
  }
  for (const user of ['0x0', '1e3', ' 0', '٣', '+0', '0 ', 'root\n', 'no:body', 'root/', '../root', '%72oot'])
    assert.match((await attempt('exec', '-u', user, id, 'id', '-u')).stderr, /no matching entries in passwd file/, user)
  for (const user of ['0:0:0', 'root:root:root', '0:root:', '0::'])
    assert.match((await attempt('exec', '-u', user, id, 'id', '-u')).stderr, /no matching entries in group file/, user)
  assert.equal(await docker.ok('exec', '-u', 'mail:mail', id, 'id', '-un'), 'mail')
  assert.equal(await docker.ok('exec', '-u', '2147483647:2147483647', id, 'id', '-u'), '2147483647')
  await docker.ok('rm', '-f', id)
})

const TROJANS = `tar gzip igzip pigz unpigz zstd xz bzip2 mount umount ldconfig newuidmap newgidmap nsenter ps crun runc conmon
  nft iptables ip git curl modprobe getent docker-init tini catatonit node sh2 setfattr cp`

test('nothing of an image is run on the host', async () => {
  const marker = `${outside}/ran`
  const trojan = await image(
    'trojan',
    (root) => {
      for (const place of ['evil', 'usr/local/bin', 'usr/sbin'])
        for (const name of TROJANS.split(/\s+/)) plant(join(root, place, name), marker)
      for (const place of ['usr/share/containers/oci/hooks.d', 'etc/containers/oci/hooks.d'])
        plant(join(root, place, 'hook.json'), marker)
      writeFileSync(join(root, 'etc/ld.so.preload'), '/evil/none.so\n')
      writeFileSync(join(root, 'evil/hook.cjs'), `require('fs').writeFileSync('${marker}', '')`)
    },
    `ENV PATH=/evil:/usr/local/bin:/usr/sbin:/usr/bin:/bin LD_PRELOAD=/evil/none.so LD_LIBRARY_PATH=/evil`,
    `ENV NODE_OPTIONS="--require=/evil/hook.cjs" GCONV_PATH=/evil _OCI_SYNCPIPE=3 NOTIFY_SOCKET=/evil/socket`,
    `LABEL run.oci.handler=krun run.oci.hooks.stdout=/evil/ps io.katacontainers.config.hypervisor.path=/evil/sh2`,
    'WORKDIR /evil',
    'CMD ["/bin/sleep", "1000"]',
  )
  const id = await docker.ok('run', '-d', '-v', 'trojan:/usr/local', trojan)
  await docker.ok('exec', id, '/bin/true')
  await docker.ok('top', id)
  const source = folder.join('source')
  mkdirSync(source)
  writeFileSync(join(source, 'file'), 'file\n')
  for (const form of ['-czf', '-cJf', '--zstd -cf', '-cjf']) {
    const tar = folder.join('packed.tar')
    const made = spawnSync('tar', [...form.split(' '), tar, '-C', source, 'file'])
    if (made.status === 0) await attempt('cp', '-', `${id}:/evil`)
    if (made.status === 0) assert.equal((await put(id, readFileSync(tar))).status, 200, form)
    rmSync(tar, { force: true })
  }
  await docker.ok('cp', source, `${id}:/evil/`)
  await docker.ok('cp', `${id}:/evil`, folder.join('back'))
  await docker.ok('diff', id)
  await docker.ok('pause', id)
  await docker.ok('unpause', id)
  await docker.ok('commit', id, 'committed')
  writeFileSync(join(source, 'Dockerfile'), `FROM ${trojan}\nADD file packed.tgz /evil/\nRUN /bin/true\nCOPY file /x\n`)
  execFileSync('tar', ['-C', source, '-czf', join(source, 'packed.tgz'), 'file'])
  await docker.ok('build', '-q', source)
  await docker.ok('export', '-o', folder.join('whole.tar'), id)
  await docker.ok('restart', '-t', '0', id)
  assert.equal(await docker.ok('exec', id, '/bin/cat', '/evil/source/file'), 'file')
  assert.match((await attempt('exec', id, 'ps')).stderr, /outside\/ran|nonexistent/)
  await docker.ok('rm', '-fv', id)
  assertOutsideUntouched()
})

/** Says on the host that it was run there; in the container it cannot. */
function plant(path: string, marker: string): void {
  mkdirSync(join(path, '..'), { recursive: true })
  rmSync(path, { force: true })
  writeFileSync(path, `#!/bin/sh\necho "$0 $*" >>${marker}\n`)
  chmodSync(path, 0o755)
}

async function put(id: string, tar: Buffer): Promise<{ readonly status: number }> {
  const url = `/v1.51/containers/${id}/archive?path=/evil`
  const { status } = await sendBytes('PUT', url, tar)
  return { status }
}

async function sendBytes(method: string, path: string, bytes: Buffer): Promise<{ readonly status: number }> {
  const { request } = await import('node:http')
  return await new Promise((resolve, reject) => {
    const sent = request({ socketPath: daemon.socket, method, path }, (reply) => {
      reply.resume()
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0 }))
    })
    sent.on('error', reject)
    sent.end(bytes)
  })
}

test('what a container is given in secret is nobody else’s: not in logs, arguments, files, or other containers', async () => {
  const canary = 'canary-7f3a9'
  const id = await docker.ok('run', '-d', '-e', `TOKEN=${canary}`, 'busybox', 'sleep', '1000')
  await docker.ok('exec', '-e', `OTHER=${canary}`, id, 'true')
  const auth = Buffer.from(JSON.stringify({ username: 'me', password: canary })).toString('base64url')
  const { request } = await import('node:http')
  const config = Buffer.from(JSON.stringify({ 'nobody.example': { username: 'me', password: canary } })).toString(
    'base64',
  )
  const calls = [
    ['/v1.51/images/create?fromImage=nobody%2Fnothing&tag=x', { 'x-registry-auth': auth }],
    ['/v1.51/images/nobody%2Fnothing/push?tag=x', { 'x-registry-auth': auth }],
    ['/v1.51/build?remote=', { 'x-registry-config': config, 'content-type': 'application/x-tar' }],
    ['/v1.51/auth', { 'x-registry-auth': auth, authorization: `Basic ${canary}` }],
  ] as const
  for (const [path, headers] of calls) {
    await new Promise((resolve) => {
      request({ socketPath: daemon.socket, method: 'POST', path, headers }, (reply) =>
        reply.resume().on('end', resolve),
      ).end()
    })
  }
  assert.doesNotMatch(daemon.log(), new RegExp(canary))
  const others = await docker.ok('run', '--rm', 'busybox', 'sh', '-c', 'env; cat /proc/*/environ')
  assert.doesNotMatch(others, new RegExp(canary))
  const commands = execFileSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null; true'], { maxBuffer: 64 << 20 })
  assert.ok(!commands.includes(Buffer.from(`TOKEN=${canary}`)))
  for (const root of [daemon.execRoot, daemon.dataRoot]) assert.deepEqual(readableByAll(root, canary), [])
  assert.match(await docker.ok('exec', id, 'env'), new RegExp(canary))
  await docker.ok('rm', '-f', id)
})

/** Files with the marker that any user of the machine could read, if the folders above let everybody in. */
function readableByAll(root: string, marker: string): readonly string[] {
  if (!existsSync(root) || (statSync(root).mode & 0o001) === 0) return []
  return readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
    const path = join(root, entry.name)
    if (entry.isDirectory()) return entry.name === 'root' ? [] : readableByAll(path, marker)
    const open = entry.isFile() && (statSync(path).mode & 0o004) !== 0
    return open && readFileSync(path).includes(marker) ? [path] : []
  })
}
