import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { existsSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let docker: Docker

before(async () => {
  daemon = await startDaemon({ folder: folder.path, flags: ['--log-opt', 'max-file=4'] })
  docker = dockerClient(daemon.host)
  await docker.ok('pull', '-q', 'busybox')
})

after(async () => {
  await daemon.stop({ all: true })
  docker[Symbol.dispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

/** Counts up; pauses after each thousand, so that the writer is no faster than a busy program. */
const count = (lines: number): string =>
  `awk 'BEGIN { for (i = 1; i <= ${lines}; i++) { print "line " i; if (i % 1000 == 0) { fflush(); system("sleep 0.01") } } }'`

/** The files of a container's log: sizes by the part of the name behind its own. */
function filesOf(id: string): ReadonlyMap<string, number> {
  const place = join(daemon.dataRoot, 'containers', id)
  const names = readdirSync(place).filter((name) => name.startsWith(`${id}.log`))
  return new Map(names.map((name) => [name.slice(`${id}.log`.length), statSync(join(place, name)).size]))
}

function assertCounted(text: string, lines: number): void {
  const numbers = text.split('\n').slice(0, -1)
  const wrong = numbers.findIndex((line, index) => line !== `line ${index + 1}`)
  assert.equal(wrong, -1, `line ${wrong + 1} is ${numbers[wrong]}`)
  assert.equal(numbers.length, lines)
}

const LINES = 200_000

test('200,000 lines are followed over many rotations, none lost, none twice; the files stay few and small', async () => {
  const options = ['--log-opt', 'max-size=200k', '--log-opt', 'max-file=3']
  const id = await docker.ok(
    'run',
    '-d',
    '--name',
    'many',
    ...options,
    'busybox',
    'sh',
    '-c',
    `until [ -e /go ]; do echo ready; sleep 0.1; done; ${count(LINES)}`,
  )
  const hearing = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  const [first, other, attached] = hearing.map(({ resolve }) => ({ heard: resolve }))
  const followers = [
    docker.run(['logs', '-f', id], first),
    micaClient(daemon.host).run(['logs', '-f', '--since', '1h', 'many'], other),
    docker.run(['attach', '--no-stdin', id], attached),
  ]
  await Promise.all(hearing.map(({ promise }) => promise))
  await docker.ok('exec', id, 'touch', '/go')
  for (const { stdout } of await Promise.all(followers)) assertCounted(stdout.replace(/^(?:ready\n)+/, ''), LINES)
  await until('the files that were held for the last reader are removed', () => filesOf(id).size <= 3)
  const kept = (await docker.ok('logs', id)).split('\n')
  assert.equal(kept.at(-1), `line ${LINES}`)
  assert.deepEqual((await docker.ok('logs', '--tail', '5000', id)).split('\n'), kept.slice(-5000))
  assert.equal((await docker.ok('logs', '-t', '--tail', '1', id)).endsWith(`Z line ${LINES}`), true)
  await docker.ok('rm', id)
})

/** Counts up until there is a file /stop, and says how far it came. */
const COUNT_ON = `awk 'BEGIN {
  for (i = 1; ; i++) {
    print "line " i
    if (i % 200 == 0) { fflush(); if (system("sleep 0.02; test -e /stop") == 0) break }
  }
  print "end " i
}'`

test('a log goes on over kills of the daemon, also in the middle of putting a file aside', async () => {
  const options = ['--log-opt', 'max-size=20k', '--log-opt', 'max-file=100000']
  const id = await docker.ok('run', '-d', ...options, 'busybox', 'sh', '-c', COUNT_ON)
  const log = join(daemon.dataRoot, 'containers', id, `${id}.log`)
  for (const told of [false, true]) {
    const files = filesOf(id).size
    await until('the log was put aside some more times', () => filesOf(id).size > files + 2, 60)
    await daemon.kill9()
    const followed = await until('the monitor has followed', () => existsSync(log)).then(
      () => true,
      () => false,
    )
    // As a daemon leaves it that was killed between two steps: before and after the monitor was told.
    if (followed) renameSync(log, `${log}.${filesOf(id).size - 1}`)
    if (followed && told) writeFileSync(join(daemon.execRoot, 'c', id.slice(0, 12), 'ctl'), '2 0 0\n')
    await daemon.restart()
    await until('the monitor writes a new file', () => existsSync(log), 60)
  }
  await docker.ok('exec', id, 'touch', '/stop')
  await docker.ok('wait', id)
  const { stdout } = await docker.run(['logs', id])
  const at = stdout.lastIndexOf('end ')
  assertCounted(stdout.slice(0, at), Number(stdout.slice(at + 'end '.length)))
  await docker.ok('rm', id)
})

test('drivers and their options as Docker has them, and what inspect says', async () => {
  const config = (name: string): Promise<string> =>
    docker.ok('inspect', '-f', '{{json .HostConfig.LogConfig}} {{if .LogPath}}path{{end}}', name)
  for (const [words, shown, output] of [
    [[], '{"Type":"json-file","Config":{"max-file":"4"}} path', 'hi'],
    [['--log-driver', 'local'], '{"Type":"local","Config":{}}', 'hi'],
    [['--log-opt', 'max-size=1m'], '{"Type":"json-file","Config":{"max-file":"4","max-size":"1m"}} path', 'hi'],
    [['--log-driver', 'none'], '{"Type":"none","Config":{}}', undefined],
  ] as const)
    for (const client of [docker, micaClient(daemon.host)]) {
      assert.equal(await client.ok('run', '--name', 'driver', ...words, 'busybox', 'echo', 'hi'), 'hi')
      assert.equal((await config('driver')).trim(), shown)
      const { stdout, stderr } = await client.run(['logs', 'driver'])
      if (output === undefined) assert.match(stderr, /configured logging driver does not support reading/)
      else assert.equal(stdout, `${output}\n`)
      await client.ok('rm', 'driver')
    }
  const { code, stderr } = await docker.run(['run', '--log-driver', 'foo', 'busybox'])
  assert.deepEqual([code, /error looking up logging plugin foo: plugin "foo" not found/.test(stderr)], [125, true])
})

test('a container that says nothing keeps its log over restarts', async () => {
  const id = await docker.ok('run', '-d', '--log-opt', 'max-size=1k', 'busybox', 'sh', '-c', count(3000))
  await docker.ok('wait', id)
  await docker.ok('start', '-a', id)
  await docker.ok('logs', '--tail', '1', id)
  assert.equal(await docker.ok('logs', '--tail', '1', id), 'line 3000')
  await docker.ok('rm', id)
})
