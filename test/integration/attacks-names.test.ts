import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { after, before, test } from 'node:test'

/* Texts that would be lines of a container's own files, what a container makes of these files, and names that lead in a ring. */

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let docker: Docker

before(async () => {
  daemon = await startDaemon({ folder: folder.path })
  docker = dockerClient(daemon.host)
  await docker.ok('pull', '-q', 'busybox')
})

after(async () => {
  docker[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

type Body = Readonly<Record<string, unknown>>

const create = (body: Body): Promise<{ readonly status: number; readonly text: string }> =>
  daemon.call('POST', '/containers/create', { Image: 'busybox', ...body })

/** A body with one text in each place where it could become a line, or be cut off. */
const linesWith = (text: string): readonly Body[] => [
  { Hostname: `a${text}b` },
  { Domainname: `a${text}b` },
  { HostConfig: { Dns: [`1.1.1.1${text}`] } },
  { HostConfig: { DnsSearch: [`a${text}nameserver 6.6.6.6`] } },
  { HostConfig: { DnsOptions: [`a${text}nameserver 6.6.6.6`] } },
  { HostConfig: { ExtraHosts: [`a${text}6.6.6.6 b:1.2.3.4`] } },
  { HostConfig: { ExtraHosts: [`a:1.2.3.4${text}6.6.6.6 b`] } },
  { HostConfig: { Links: [`base:a${text}6.6.6.6 b`] } },
  { HostConfig: { NetworkMode: 'own' }, NetworkingConfig: { EndpointsConfig: { own: { Aliases: [`a${text}b`] } } } },
  { HostConfig: { NetworkMode: 'own' }, NetworkingConfig: { EndpointsConfig: { own: { Links: [`base:a${text}b`] } } } },
]

test('a text of two lines is refused wherever it would be a line of /etc/hosts or resolv.conf', async () => {
  await docker.ok('network', 'create', 'own')
  const base = await docker.ok('run', '-d', '--name', 'base', 'busybox', 'sleep', '1000')
  for (const text of ['\n', '\r', '\0', '\u001b[2J', '\t'])
    for (const body of linesWith(text)) {
      const { status, text: words } = await create(body)
      assert.equal(status, 400, JSON.stringify(body))
      assert.match(words, /control character|bad nameserver|invalid IP address|bad format/, words)
    }
  const connect = (alias: string): ReturnType<TestDaemon['call']> =>
    daemon.call('POST', '/networks/own/connect', { Container: base, EndpointConfig: { Aliases: [alias] } })
  assert.equal((await connect('a\nb')).status, 400)
  assert.equal((await connect('plain')).status, 200)
  const names = '--hostname box --domainname example.org --dns-search one.example --dns-option ndots:3'.split(' ')
  const more = ['--add-host', 'other:1.2.3.4', '--link', 'base:alias', '-e', 'TWO=a\nb']
  const script = 'cat /etc/hosts /etc/resolv.conf; hostname; echo "$TWO" | wc -l'
  const seen = await docker.ok('run', '--rm', ...names, ...more, 'busybox', 'sh', '-c', script)
  assert.match(seen, /^1\.2\.3\.4\tother$/m)
  assert.match(seen, /\tbox\.example\.org box$/m)
  assert.match(seen, /^search one\.example$/m)
  assert.match(seen, /\talias /)
  assert.match(seen, /^box\n2$/m)
  await docker.ok('rm', '-f', 'base')
  await docker.ok('network', 'rm', 'own')
})

test('a NUL byte is refused where a process or a path would end at it', async () => {
  const bodies: readonly Body[] = [
    { Env: ['A=b\0c'] },
    { Cmd: ['echo', 'a\0b'] },
    { Entrypoint: ['a\0b'] },
    { WorkingDir: '/a\0b' },
    { User: 'ro\0ot' },
    { Volumes: { '/a\0b': {} } },
    { HostConfig: { Mounts: [{ Type: 'bind', Source: '/tmp\0x', Target: '/x' }] } },
    { HostConfig: { Binds: ['/tmp:/a\0b'] } },
    { HostConfig: { Tmpfs: { '/a\0b': '' } } },
  ]
  for (const body of bodies) {
    const { status, text } = await create(body)
    assert.equal(status, 400, `${JSON.stringify(body)} ${text}`)
  }
  const id = await docker.ok('run', '-d', 'busybox', 'sleep', '1000')
  for (const body of [{ Cmd: ['echo\0'] }, { Cmd: ['id'], Env: ['A=\0'] }, { Cmd: ['id'], WorkingDir: '/\0' }])
    assert.equal((await daemon.call('POST', `/containers/${id}/exec`, body)).status, 400)
  assert.equal(await docker.ok('exec', '-w', '/tmp', '-e', 'A=1 2', id, 'sh', '-c', 'pwd; echo "$A"'), '/tmp\n1 2')
  await docker.ok('rm', '-f', id)
})

test('an /etc/hosts that its container fills holds up nobody, and cannot be made another thing', async () => {
  await docker.ok('network', 'create', 'more')
  await docker.ok('run', '-d', '--name', 'base', 'busybox', 'sleep', '1000')
  const id = await docker.ok('run', '-d', '--name', 'big', '--link', 'base:db', 'busybox', 'sleep', '1000')
  const grow = `dd if=/dev/zero of=/etc/hosts bs=1 count=0 seek=10G; dd if=/dev/zero of=/etc/resolv.conf bs=1 count=0 seek=10G`
  await docker.ok('exec', id, 'sh', '-c', grow)
  const others = ['ln -sf /etc/passwd /etc/hosts', 'mv /etc/passwd /etc/hosts', 'rm /etc/hosts', 'mkfifo /etc/hosts']
  for (const script of others) assert.notEqual((await docker.run(['exec', id, 'sh', '-c', script])).code, 0, script)
  const begun = performance.now()
  await docker.ok('network', 'connect', 'more', id)
  await docker.ok('network', 'disconnect', 'more', id)
  await docker.ok('restart', '-t', '0', 'base')
  assert.ok(performance.now() - begun < 20_000)
  assert.equal(statSync(`${daemon.dataRoot}/containers/${id}/hosts`).size, 10 * 2 ** 30)
  assert.match(await docker.ok('run', '--rm', '--network', `container:${id}`, 'busybox', 'hostname'), /^[0-9a-f]{12}$/)
  // Stopped, the engine itself is asked to put other things there.
  await docker.ok('stop', '-t', '0', id)
  symlinkSync('/etc/shadow', folder.join('hosts'))
  const link = execFileSync('tar', ['-C', folder.path, '-c', 'hosts'])
  await docker.run(['cp', '-', `${id}:/etc`], { input: link })
  await docker.ok('start', id)
  const hosts = await docker.ok('exec', id, 'cat', '/etc/hosts')
  assert.match(hosts, /^127\.0\.0\.1\tlocalhost$/m)
  assert.match(hosts, /\tdb /)
  assert.ok(statSync(`${daemon.dataRoot}/containers/${id}/hosts`).isFile())
  await docker.ok('rm', '-f', 'base', id)
  await docker.ok('network', 'rm', 'more')
})

test('links in the image at the places of its name files lead nowhere outside', async () => {
  const secret = readFileSync('/etc/hosts', 'utf8')
  const script = `for name in hosts hostname resolv.conf; do ln -sf /../../../../../../..${folder.path}/$name /etc/$name; done`
  await docker.ok('run', '--name', 'maker', '--net', 'none', 'busybox', 'true')
  await docker.ok('rm', 'maker')
  const made = await docker.ok('run', '-d', 'busybox', 'sh', '-c', 'sleep 1000')
  await docker.run([
    'exec',
    '--privileged',
    made,
    'sh',
    '-c',
    `umount /etc/hosts /etc/hostname /etc/resolv.conf; ${script}`,
  ])
  await docker.ok('commit', made, 'linked')
  for (const image of ['linked', 'busybox']) {
    const seen = await docker.run(['run', '--rm', '--hostname', 'box', image, 'cat', '/etc/hostname'])
    if (image === 'busybox' || seen.code === 0) assert.equal(seen.stdout, 'box\n', image)
  }
  assert.ok(!existsSync(folder.join('hostname')) && !existsSync(folder.join('resolv.conf')))
  assert.equal(readFileSync('/etc/hosts', 'utf8'), secret)
  await docker.ok('rm', '-f', made)
})

test('a network of itself, or in a ring, is refused at the start; one of a name that comes later is found', async () => {
  const start = (name: string): ReturnType<Docker['run']> => docker.run(['start', name])
  await docker.ok('create', '--name', 'self', '--network', 'container:self', 'busybox', 'true')
  assert.match((await start('self')).stderr, /cannot join own network namespace/)
  await docker.ok('create', '--name', 'one', '--network', 'container:two', 'busybox', 'true')
  await docker.ok('create', '--name', 'two', '--network', 'container:one', 'busybox', 'true')
  for (const name of ['one', 'two']) {
    assert.match((await start(name)).stderr, /non running container/)
    const linked = await docker.run(['create', '--link', `${name}:x`, 'busybox'])
    assert.match(linked.stderr, /cannot link to container (one|two): its network leads back to itself/)
    assert.match(
      (await docker.run(['run', '--network', `container:${name}`, 'busybox'])).stderr,
      /non running container/,
    )
  }
  assert.notEqual((await docker.run(['create', '--link', 'self:x', 'busybox'])).code, 0)
  await docker.ok('create', '--name', 'early', '--network', 'container:late', 'busybox', 'hostname')
  assert.match((await start('early')).stderr, /No such container: late/)
  await docker.ok('run', '-d', '--name', 'late', '--hostname', 'late-box', 'busybox', 'sleep', '1000')
  assert.equal(await docker.ok('start', '-a', 'early'), 'late-box')
  await docker.ok('rm', '-f', ...(await docker.ok('ps', '-aq')).split('\n'))
})

test('a name is given once: renamed to one that is being made, made with one that is being renamed to', async () => {
  await docker.ok('create', '--name', 'old', 'busybox', 'true')
  for (let round = 0; round < 10; round += 1) {
    const name = `wanted-${round}`
    const [made, renamed] = await Promise.all([
      daemon.call('POST', `/containers/create?name=${name}`, { Image: 'busybox' }),
      daemon.call('POST', `/containers/old/rename?name=${name}`),
    ])
    assert.ok([201, 409].includes(made.status), made.text)
    assert.ok([204, 409].includes(renamed.status), renamed.text)
    assert.notEqual(made.status === 201, renamed.status === 204)
    if (renamed.status === 204) await docker.ok('rename', name, 'old')
    else await docker.ok('rm', name)
  }
  assert.equal(await docker.ok('ps', '-a', '--format', '{{.Names}}'), 'old')
  await docker.ok('rm', 'old')
})
