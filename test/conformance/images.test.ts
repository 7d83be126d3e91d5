import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker, Outcome } from '#test/docker'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import type { TestRegistry } from '#test/registry'
import { startRegistry } from '#test/registry'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let registry: TestRegistry
let docker: Docker

before(async () => {
  registry = await startRegistry(folder.path)
  daemon = await startDaemon({ folder: folder.path })
  docker = dockerClient(daemon.host)
  await docker.ok('pull', '-q', 'busybox')
})

after(async () => {
  await daemon.stop({ all: true })
  await registry[Symbol.asyncDispose]()
  docker[Symbol.dispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

interface BuildOptions {
  readonly args?: readonly string[]
  readonly signal?: AbortSignal
}

async function build(name: string, dockerfile: string, { args = [], ...options }: BuildOptions = {}): Promise<Outcome> {
  mkdirSync(folder.join(name), { recursive: true })
  writeFileSync(folder.join(`${name}/Dockerfile`), dockerfile)
  const outcome = await docker.run(['build', ...args, folder.join(name)], options)
  return { ...outcome, stdout: outcome.stdout.replaceAll(/ [0-9a-f]{12}$/gm, ' ID') }
}

async function refusal(...args: readonly string[]): Promise<string> {
  const { code, stderr } = await docker.run(args)
  assert.notEqual(code, 0)
  return stderr.trim()
}

const PARALLEL = `ARG base=busybox
FROM $base AS one
RUN sleep 1; echo one >/one
FROM $base AS unused
RUN exit 1
FROM $base AS two
RUN echo to-stderr >&2; echo two >/two
FROM $base
COPY --from=one /one /
COPY --from=two /two /
CMD ["cat", "/one", "/two"]
`

test('the classic stream has the order of the Dockerfile, whatever order the stages ended in', async () => {
  const first = await build('parallel', PARALLEL, { args: ['-t', 'p', '-t', 'p:two', '--build-arg', 'nobody=1'] })
  assert.equal(first.code, 0, first.stdout + first.stderr)
  const lines = first.stdout.split('\n').filter((line) => !line.startsWith('Sending'))
  assert.deepEqual(lines, [
    'Step 1/9 : ARG base=busybox',
    'Step 2/9 : FROM $base AS one',
    ' ---> ID',
    'Step 3/9 : RUN sleep 1; echo one >/one',
    ' ---> Running in ID',
    ' ---> Removed intermediate container ID',
    ' ---> ID',
    'Step 4/9 : FROM $base AS two',
    ' ---> ID',
    'Step 5/9 : RUN echo to-stderr >&2; echo two >/two',
    ' ---> Running in ID',
    '\u001B[91mto-stderr',
    '\u001B[0m ---> Removed intermediate container ID',
    ' ---> ID',
    'Step 6/9 : FROM $base',
    ' ---> ID',
    'Step 7/9 : COPY --from=one /one /',
    ' ---> ID',
    'Step 8/9 : COPY --from=two /two /',
    ' ---> ID',
    'Step 9/9 : CMD ["cat", "/one", "/two"]',
    ' ---> ID',
    '[Warning] One or more build-args [nobody] were not consumed',
    'Successfully built ID',
    'Successfully tagged p:latest',
    'Successfully tagged p:two',
    '',
  ])
  assert.equal(await docker.ok('run', '--rm', 'p'), 'one\ntwo')
  const again = await build('parallel', PARALLEL)
  assert.equal(again.stdout.match(/Using cache/g)?.length, 5, again.stdout)
})

test('a quiet build says the id alone, and writes it where it is asked to', async () => {
  const id = folder.join('iid')
  const { stdout } = await build('quiet', 'FROM busybox\nENV a=b\n', { args: ['-q', '--iidfile', id] })
  assert.match(stdout, /^sha256:[0-9a-f]{64}\n$/)
  assert.equal(readFileSync(id, 'utf8').trim(), stdout.trim())
})

test('a Dockerfile from stdin is used with its folder, and alone', async () => {
  mkdirSync(folder.join('stdin'))
  writeFileSync(folder.join('stdin/file'), 'text')
  const input = 'FROM busybox\nCOPY file /\nCMD ["cat", "/file"]\n'
  const { code, stderr } = await docker.run(['build', '-t', 'stdin', '-f', '-', folder.join('stdin')], { input })
  assert.equal(code, 0, stderr)
  assert.equal(await docker.ok('run', '--rm', 'stdin'), 'text')
  const alone = await docker.run(['build', '-q', '-'], { input: 'FROM busybox\nENV a=b\n' })
  assert.equal(alone.code, 0, alone.stderr)
})

test('a failed step ends the client with its status, quiet or not', async () => {
  for (const args of [[], ['-q']]) {
    const { code, stdout, stderr } = await build('failing', 'FROM busybox\nRUN echo why; exit 7\n', { args })
    assert.equal(code, 7)
    assert.match(stdout + stderr, /Step 2\/2[^]*\nwhy\n/)
    assert.match(stderr, /The command '\/bin\/sh -c echo why; exit 7' returned a non-zero code: 7/)
  }
})

test('a Dockerfile that cannot be read is refused before anything is said', async () => {
  const { code, stdout, stderr } = await build('wrong', 'FROM busybox\nRUNN x\n')
  assert.equal(code, 1)
  assert.doesNotMatch(stdout, /Step/)
  assert.match(stderr, /^Error response from daemon: dockerfile parse error on line 2: unknown instruction: RUNN/m)
})

test('what is not carried out is refused by its flag', async () => {
  for (const flag of ['--memory=64m', '--add-host=a:1.2.3.4', '--cache-from=x', '--rm=false', '--shm-size=64m']) {
    const { code, stderr } = await build('refused', 'FROM busybox\n', { args: [flag] })
    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`${flag.split('=')[0]}.*not yet`))
  }
})

/** True where a process with that command line is there. */
function runs(line: string): boolean {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.some((pid) => commandOf(pid) === line)
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim()
  } catch {
    return ''
  }
}

test('a client that goes away ends its build, and the step that runs', async () => {
  const gone = new AbortController()
  const building = build('gone', 'FROM busybox\nRUN sleep 4321\n', { signal: gone.signal }).catch(() => undefined)
  await until('the step runs', () => runs('sleep 4321'))
  gone.abort()
  await building
  await until('the step is gone', () => !runs('sleep 4321'))
})

test('a pull is told in the lines of docker', async () => {
  await docker.ok('rmi', '-f', 'p', 'p:two')
  const again = await docker.ok('pull', 'busybox')
  assert.match(again, /^Using default tag: latest\nlatest: Pulling from library\/busybox\n/)
  assert.match(again, /\nDigest: sha256:[0-9a-f]{64}\nStatus: Image is up to date for busybox:latest\n/)
  assert.match(await refusal('pull', 'busybox:nosuch'), /manifest for busybox:nosuch not found: manifest unknown/)
  assert.match(await docker.ok('images', '--digests', 'busybox'), /busybox +latest +sha256:[0-9a-f]{64} +[0-9a-f]{12}/)
})

test('images are listed by every filter', async () => {
  await build('labelled', 'FROM busybox\nLABEL a=b\n', { args: ['-t', 'filter/one:1', '-t', 'filter/two:2'] })
  await build('dangling', 'FROM busybox\nLABEL a=c\n')
  // The client shows the names of one image in any order.
  const list = async (...args: readonly string[]): Promise<readonly string[]> => {
    const rows = await docker.ok('images', '--format', '{{.Repository}}:{{.Tag}}', ...args)
    return rows
      .split('\n')
      .filter((line) => line !== '')
      .toSorted()
  }
  assert.deepEqual(await list('filter/*'), ['filter/one:1', 'filter/two:2'])
  assert.deepEqual(await list('filter/one'), ['filter/one:1'])
  assert.deepEqual(await list('--filter', 'reference=*/*:2'), ['filter/two:2'])
  assert.deepEqual(await list('--filter', 'label=a=b'), ['filter/one:1', 'filter/two:2'])
  assert.deepEqual(await list('--filter', 'dangling=true', '--filter', 'label=a'), ['<none>:<none>'])
  assert.deepEqual(await list('--filter', 'before=busybox'), [])
  assert.ok((await list('--filter', 'since=busybox')).includes('filter/one:1'))
  assert.match(await refusal('images', '--filter', 'nosuch=1'), /invalid filter 'nosuch'/)
  assert.match(await docker.ok('image', 'prune', '-f'), /^Deleted Images:\ndeleted: sha256:/)
  assert.deepEqual(await list('--filter', 'dangling=true'), [])
})

test('names come and go by the rules of docker', async () => {
  await docker.ok('tag', 'busybox', 'names/a:1')
  assert.equal(await docker.ok('rmi', 'names/a:1'), 'Untagged: names/a:1')
  assert.match(await refusal('tag', 'nosuch', 'x'), /No such image: nosuch:latest/)
  // Clients before 23 say it in words of their own.
  assert.match(await refusal('rmi', 'nosuch'), /No such image: nosuch/)
  await docker.ok('tag', 'busybox', 'names/b:1')
  const id = await docker.ok('images', '-q', 'names/b')
  assert.match(await refusal('rmi', id), /cannot be forced|must be forced/)
  await docker.ok('rmi', 'names/b:1')
})

test('what is saved is loaded again, the same image', async () => {
  await build('saved', 'FROM busybox\nRUN echo x >/x\n', { args: ['-t', 'saved:1'] })
  const id = await docker.ok('inspect', '-f', '{{.Id}}', 'saved:1')
  await docker.ok('save', '-o', folder.join('saved.tar'), 'saved:1')
  await docker.ok('rmi', 'saved:1')
  assert.equal(await docker.ok('load', '-i', folder.join('saved.tar')), 'Loaded image: saved:1')
  assert.equal(await docker.ok('inspect', '-f', '{{.Id}}', 'saved:1'), id)
  assert.match(await refusal('save', '-o', folder.join('none.tar'), 'nosuch'), /No such image: nosuch/)
})

test('what is pushed is pulled again, the same image', async () => {
  const name = `${registry.host}/some/app:1`
  await build('pushed', 'FROM busybox\nRUN echo x >/pushed\n', { args: ['-t', name] })
  const id = await docker.ok('inspect', '-f', '{{.Id}}', name)
  const pushed = await docker.ok('push', name)
  assert.match(pushed, /^The push refers to repository \[/)
  const [, digest = ''] = /^1: digest: (sha256:[0-9a-f]{64}) size: \d+$/m.exec(pushed) ?? []
  await docker.ok('rmi', '-f', name)
  assert.match(await docker.ok('pull', `${registry.host}/some/app@${digest}`), new RegExp(`Digest: ${digest}`))
  assert.match(await docker.ok('pull', '-a', `${registry.host}/some/app`), /^1: Pulling from some\/app$/m)
  assert.equal(await docker.ok('inspect', '-f', '{{.Id}}', name), id)
})

test('the layers of an image are gone when its removal comes back: what follows fetches them anew', async () => {
  const name = `${registry.host}/own`
  await docker.ok('run', '--name', 'own', 'busybox', 'sh', '-c', 'echo own >/own')
  await docker.ok('commit', 'own', name)
  await docker.ok('rm', 'own')
  await docker.ok('push', '-q', name)
  for (let round = 0; round < 3; round += 1) {
    await docker.ok('rmi', name)
    assert.match(await docker.ok('pull', name), /: Pull complete\n/)
  }
})

test('a tar becomes an image with the settings that are asked for', async () => {
  await docker.ok('run', '--name', 'exported', 'busybox', 'touch', '/made')
  await docker.ok('export', '-o', folder.join('root.tar'), 'exported')
  await docker.ok('rm', 'exported')
  const id = await docker.ok('import', '-c', 'CMD ["ls", "/made"]', '-m', 'why', folder.join('root.tar'), 'imported:1')
  assert.match(id, /^sha256:[0-9a-f]{64}$/)
  assert.equal(await docker.ok('run', '--rm', 'imported:1'), '/made')
  assert.match(await docker.ok('history', 'imported:1'), /why/)
  assert.match(await refusal('import', '-c', 'RUN x', folder.join('root.tar')), /RUN is not a valid change command/)
})

test('what happened can be asked for afterwards, by its filters', async () => {
  const since = new Date().toISOString()
  await docker.ok('tag', 'busybox', 'event/a:1')
  const until = new Date().toISOString()
  const ask = (filter: string): Promise<string> =>
    docker.ok('events', '--since', since, '--until', until, '--filter', filter, '--format', '{{json .}}')
  const told = JSON.parse(await ask('event=tag'))
  assert.deepEqual([told.Type, told.Action, told.Actor.Attributes.name], ['image', 'tag', 'event/a:1'])
  assert.equal(await ask('type=container'), '')
  await docker.ok('rmi', 'event/a:1')
})

test('the host is described, and what there is none of is said so', async () => {
  const info = JSON.parse(await docker.ok('info', '--format', '{{json .}}'))
  assert.deepEqual([info.Driver, info.OSType, info.Swarm.LocalNodeState], ['overlay2', 'linux', 'inactive'])
  assert.equal(info.DockerRootDir, daemon.dataRoot)
  assert.match(await docker.ok('version'), /Server: mica\n Engine:\n/)
  assert.match(await docker.ok('system', 'df', '-v'), /Images space usage:/)
  assert.match(await refusal('swarm', 'init'), /This node is not a swarm manager/)
  assert.match(await refusal('network', 'rm', 'bridge'), /bridge is a pre-defined network and cannot be removed/)
  assert.match(await refusal('network', 'inspect', 'nosuch'), /network nosuch not found|No such network: nosuch/)
  assert.equal(
    await docker.ok('network', 'ls', '--format', '{{.Name}} {{.Driver}}'),
    'bridge bridge\nhost host\nnone null',
  )
})

test('the cache is listed and pruned', async () => {
  await build('cached', 'FROM busybox\nRUN echo cached >/cached\n')
  assert.match(await docker.ok('builder', 'prune', '-af'), /Deleted build cache objects:\n/)
  const again = await build('cached', 'FROM busybox\nRUN echo cached >/cached\n')
  assert.match(again.stdout, /Running in/)
})
