import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { isSoak } from '#test/environment'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { ApiCalls, race, swapper, type Told } from '#test/race'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'

/*
 * A process in a container exchanges parts of paths for links that lead out, without a pause, while the engine works on
 * these paths. `outside` is the host's: nobody may read it or write to it. Beside each attack the same call on a quiet path.
 * npm run soak attacks-race: ten minutes of each.
 */

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
const outside = folder.join('outside')
/** In no image. */
const SECRET = 'secret-4c1d7e'
const LINKS = [`${'/..'.repeat(12)}${outside}`, `/proc/1/root${outside}`, '/proc/self/fd/3', 's/../../../../../..']
const options = {
  /** Milliseconds. */
  length: isSoak() ? 600_000 : 3000,
  forbidden: new RegExp(`${SECRET}|uid=0\\(intruder\\)`),
  check: assertOutsideUntouched,
}
let daemon: TestDaemon
let docker: Docker
let api: ApiCalls

before(async () => {
  mkdirSync(`${outside}/m`, { recursive: true })
  writeFileSync(`${outside}/secret`, SECRET)
  writeFileSync(`${outside}/m/secret`, SECRET)
  writeFileSync(`${outside}/passwd`, 'intruder:x:0:0::/:/bin/sh\n')
  mkdirSync(folder.join('source/deep'), { recursive: true })
  writeFileSync(folder.join('source/deep/file'), 'copied in')
  execFileSync('tar', ['-C', folder.join('source'), '-cf', folder.join('source.tar'), '.'])
  daemon = await startDaemon({ folder: folder.path })
  docker = dockerClient(daemon.host)
  api = new ApiCalls(daemon.socket)
  for (const image of ['busybox', 'debian']) await docker.ok('pull', '-q', image)
  await buildSwapper()
})

/** Busybox with debian's perl: small, so that an export of it is too. */
async function buildSwapper(): Promise<void> {
  const script = 'tar -chf /perl.tar $(ldd /usr/bin/perl | grep -o "/[^ ]*") /usr/bin/perl'
  const made = await docker.ok('run', '-d', 'debian', 'sh', '-c', script)
  await docker.ok('wait', made)
  await docker.ok('cp', `${made}:/perl.tar`, folder.join('source'))
  writeFileSync(folder.join('source/Dockerfile'), 'FROM busybox\nADD perl.tar /\n')
  await docker.ok('build', '-q', '-t', 'swapper', folder.join('source'))
  await docker.ok('rm', made)
}

after(async () => {
  api[Symbol.dispose]()
  docker[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

function assertOutsideUntouched(): void {
  const found = readdirSync(outside, { recursive: true, encoding: 'utf8' })
  assert.deepEqual(new Set(found), new Set(['m', 'm/secret', 'passwd', 'secret']))
  for (const path of ['secret', 'm/secret']) assert.equal(readFileSync(`${outside}/${path}`, 'utf8'), SECRET)
}

const QUIET =
  'mkdir -p /quiet/deep /calm; echo quiet >/quiet/deep/file; ln -s /quiet /link; cp /etc/passwd /etc/group /tmp'

/** A container with the volume `shared` at /v in which that is done, once its quiet paths are there and `s` is exchanged. */
async function start(script: string, ...args: readonly string[]): Promise<string> {
  const shell = `${QUIET}; ${script}`
  const id = await docker.ok('run', '-d', ...args, '-v', 'shared:/v', 'swapper', 'sh', '-c', shell)
  await until('it exchanges', async () => (await api.exec(id, ['test', '-e', '/ready'])).ok)
  return id
}

/** Exchanges `s` in the folders. */
const swapping = (...folders: readonly string[]): string => `perl -e '${swapper(folders, LINKS)}'`

const SHARED = { HostConfig: { Binds: ['shared:/v'] } }

/** A container of busybox beside it, with the same volume and more of that. */
const beside = (host: Readonly<Record<string, readonly unknown[]>>, more = {}): Promise<Told> =>
  api.run({
    Image: 'busybox',
    Cmd: READ,
    ...more,
    HostConfig: { NetworkMode: 'none', ...host, Binds: [...SHARED.HostConfig.Binds, ...(host['Binds'] ?? [])] },
  })

const READ = [
  'sh',
  '-c',
  `cat secret m/secret /v/s/secret /x/secret; ls ${outside} /x; touch made /v/s/made /x/made; true`,
]

test('exec: swapped folders never lead out, and quiet ones work all the while', async (context) => {
  const id = await start(swapping('/v', '/w'))
  const calls = {
    'exec -w into a volume': () => api.exec(id, READ, { WorkingDir: '/v/s' }),
    'exec -w': () => api.exec(id, READ, { WorkingDir: '/w/s/m' }),
    'exec of a program there': () => api.exec(id, ['/w/s/secret']),
    'quiet exec': () => api.exec(id, ['cat', 'file'], { WorkingDir: '/link/deep' }),
  }
  await race(calls, context, options)
  await docker.ok('rm', '-f', id)
  await docker.ok('volume', 'rm', 'shared')
})

test('mounts: swapped folders never lead out, and quiet ones work all the while', async (context) => {
  const id = await start(swapping('/v'))
  const below = (Subpath: string, Target: string): Promise<Told> =>
    beside({ Mounts: [{ Type: 'volume', Source: 'shared', Target, VolumeOptions: { Subpath } }] })
  const calls = {
    'a volume mounted in it': () => beside({ Binds: ['other:/v/s/m'] }, { WorkingDir: '/v/s' }),
    'a folder made in it': () => beside({}, { WorkingDir: '/v/s/m/made' }),
    'a file mounted in it': () => beside({ Binds: [`${folder.join('source/deep/file')}:/v/s/file`] }),
    'a tmpfs in it': () => beside({ Mounts: [{ Type: 'tmpfs', Target: '/v/s/m' }] }),
    'a folder of the volume mounted': () => below('s', '/x'),
    'a folder in that, in its own place': () => below('s/m', '/v/s/m'),
    'quiet mount': () => beside({ Binds: ['other:/v/calm'] }, { WorkingDir: '/v/calm', Cmd: ['pwd'] }),
  }
  await race(calls, context, options)
  await docker.ok('rm', '-f', id)
  await docker.ok('volume', 'rm', 'shared', 'other')
})

test('cp in and out: swapped folders never lead out, and quiet ones work all the while', async (context) => {
  const id = await start(swapping('/v', '/w'))
  const [tar, target] = [readFileSync(folder.join('source.tar')), folder.join('target')]
  const calls = {
    'cp out of a volume': () => api.copyOut(id, '/v/s/.'),
    'cp out, links followed': () => api.copyOut(id, '/w/s', { follow: true }),
    'cp a file out': () => api.copyOut(id, '/w/s/secret'),
    'cp out of what holds it': () => api.copyOut(id, '/w'),
    'cp in': () => api.copyIn(id, '/w/s', tar),
    'cp into a volume': () => api.copyIn(id, '/v/s/m', tar),
    'the client, out to a folder': async () => {
      const { code, stdout, stderr } = await docker.run(['cp', `${id}:/w/s`, target], { timeout: 300_000 })
      if (existsSync(target)) assert.doesNotMatch(filesOf(target), /secret|passwd|deleted/)
      rmSync(target, { recursive: true, force: true })
      return { ok: code === 0, text: stdout + stderr }
    },
    'quiet cp out': () => api.copyOut(id, '/link/deep/file'),
    'quiet cp in': () => api.copyIn(id, '/calm', tar),
  }
  await race(calls, context, options)
  assert.equal(await docker.ok('exec', id, 'cat', '/calm/deep/file'), 'copied in')
  await docker.ok('rm', '-f', id)
  await docker.ok('volume', 'rm', 'shared')
})

/** What is a file, links not followed (readdir would). */
const filesOf = (path: string): string => execFileSync('find', [path, '-type', 'f'], { encoding: 'utf8' })

const SWAP_USERS = `setpriority(0, 0, 5); while (1) { for my $file (qw(passwd group)) {
  unlink("/etc/new"); symlink("${LINKS[0]}/passwd", "/etc/new"); rename("/etc/new", "/etc/$file");
  symlink("/tmp/$file", "/etc/new"); rename("/etc/new", "/etc/$file") } }`

test('users, changes and exports: a swapped /etc/passwd is never the host’s', async (context) => {
  const id = await start(`touch /ready; perl -e '${SWAP_USERS}' & ${swapping('/w')}`)
  const attempt = async (...args: readonly string[]): Promise<Told> => {
    const { code, stdout, stderr } = await docker.run(args, { timeout: 300_000 })
    return { ok: code === 0, text: stdout + stderr }
  }
  const calls = {
    'exec of an intruder': () => api.exec(id, ['id'], { User: 'intruder' }),
    'exec of a known user': () => api.exec(id, ['id'], { User: 'mail:mail' }),
    changes: () => api.tell('GET', `/containers/${id}/changes`),
    export: () => api.tell('GET', `/containers/${id}/export`),
    'cp of both': () => api.copyOut(id, '/etc'),
    commit: () => attempt('commit', '-p=false', id, 'raced'),
    'quiet exec': () => api.exec(id, ['id', '-u'], { User: '8' }),
  }
  await race(calls, context, options)
  await docker.ok('rm', '-f', id)
  const seen = await docker.ok('run', '--rm', '-u', '0', 'raced', 'cat', '/link/deep/file')
  assert.equal(seen, 'quiet')
  await docker.ok('volume', 'rm', 'shared')
})
