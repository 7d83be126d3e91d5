import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import { dockerClient, runProgram } from '#test/docker'
import type { Docker } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

ownMountNamespace()

const PROJECT = join(import.meta.dirname, '..', '..')
const LAUNCHER = join(PROJECT, 'bin', 'mica')

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let docker: Docker
let mica: Docker

before(async () => {
  daemon = await startDaemon({ folder: folder.path })
  docker = dockerClient(daemon.host)
  mica = micaClient(daemon.host)
  mkdirSync(folder.join('context'))
  writeFileSync(folder.join('context/Dockerfile'), 'FROM busybox\nRUN echo hi > /message\nCMD ["cat", "/message"]\n')
})

after(async () => {
  await daemon.stop({ all: true })
  docker[Symbol.dispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

/** A second may pass between the two clients, which changes an age and with it the width of its column: they are asked again. */
const ATTEMPTS = 5

/** The same words to both clients; ages are left out. */
async function assertSame(...words: readonly string[]): Promise<void> {
  const timeless = (text: string): string =>
    text.replaceAll(/(About an? |\d+ |Less than a )(second|minute)s?( ago)?/g, 'AGE')
  for (let attempt = 1; ; attempt += 1) {
    const [own, other] = [await mica.run(words), await docker.run(words)]
    const [mine, theirs] = [own, other].map(({ code, stdout }) => `${code} ${timeless(stdout)}`)
    if (mine === theirs) return
    if (attempt === ATTEMPTS) assert.equal(mine, theirs, words.join(' '))
  }
}

test('mica build reads the folder in place, and tables are those of the docker client', async () => {
  const built = await mica.run(['build', '-t', 'message', '.'], { cwd: folder.join('context') })
  assert.equal(built.code, 0, built.stdout + built.stderr)
  assert.match(built.stdout, /Successfully tagged message:latest/)
  await mica.ok('run', '--name', 'one', 'message')
  for (const words of [
    'images',
    'images -q',
    'images --no-trunc',
    'history message',
    'history -q message',
    'history -H=false --no-trunc message',
    'ps -a',
    'ps -aq',
    'ps -a --no-trunc',
    'volume ls',
    'network ls',
    'diff one',
    'logs one',
  ]) {
    await assertSame(...words.split(' '))
  }
  await assertSame('ps', '-a', '--format', '{{.Names}}: {{.Image}}')
  await assertSame('inspect', '-f', '{{.State.Status}} {{json .Config.Cmd}}', 'one')
  await mica.ok('rm', 'one')
})

test('mica run keeps streams apart and passes exit statuses on', async () => {
  const streams = await mica.run(['run', '--rm', '-i', 'busybox', 'sh', '-c', 'cat; echo err >&2; exit 7'], {
    input: 'in',
  })
  assert.deepEqual(streams, { code: 7, stdout: 'in', stderr: 'err\n' })
  const table: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['run', '--rm', 'busybox', 'nosuch'], 127, /Error response from daemon: .*nosuch/],
    [['run', '--rm', 'busybox', '/etc'], 126, /\/etc/],
    [['run', '--rm', '--nosuch', 'busybox'], 125, /^unknown flag: --nosuch\n/],
    [['run', '--rm', '–it', 'busybox'], 125, /an en dash \(U\+2013\), not with a hyphen: type --it;/],
    [['run', '--pull', 'never', 'nosuch:1'], 125, /No such image: nosuch:1/],
    [['nosuch'], 1, /^mica: unknown command: mica nosuch\n/],
    [['rm', 'nosuch'], 1, /^Error response from daemon: No such container: nosuch\n$/],
    [['exec', 'nosuch', 'true'], 1, /No such container: nosuch/],
  ]
  for (const [words, code, stderr] of table) {
    const outcome = await mica.run(words)
    assert.equal(outcome.code, code, `${words.join(' ')}: ${outcome.stderr}`)
    assert.match(outcome.stderr, stderr, words.join(' '))
  }
})

test('mica exec, signals and logs reach a container in the background', async () => {
  const id = await mica.ok(
    'run',
    '-d',
    '--name',
    'back',
    'busybox',
    'sh',
    '-c',
    'trap "echo bye; exit 3" TERM; echo hello; while :; do sleep 0.1; done',
  )
  assert.match(id, /^[0-9a-f]{64}$/)
  assert.deepEqual(await mica.run(['exec', '-i', 'back', 'sh', '-c', 'cat; exit 9'], { input: 'abc' }), {
    code: 9,
    stdout: 'abc',
    stderr: '',
  })
  assert.equal((await mica.run(['exec', 'back', 'nosuch'])).code, 127)
  assert.equal(await mica.ok('exec', '-e', 'A=b', '-w', '/tmp', 'back', 'sh', '-c', 'echo $A; pwd'), 'b\n/tmp')
  assert.equal(await mica.ok('kill', '-s', 'TERM', 'back'), 'back')
  assert.equal(await mica.ok('wait', 'back'), '3')
  assert.equal(await mica.ok('logs', 'back'), 'hello\nbye')
  assert.equal(await mica.ok('logs', '-n', '1', 'back'), 'bye')
  assert.equal(await mica.ok('rm', 'back'), 'back')
})

test('mica layers shows the stack from the writable layer to the kernel', async () => {
  await mica.ok('create', '--name', 'stacked', 'message')
  const rows = (await mica.ok('layers', 'stacked')).split('\n').map((line) => line.split(/ {2,}/)[0])
  assert.deepEqual(rows, ['ROLE', 'writable', 'top', 'base', 'kernel'])
  const roles = (await mica.ok('layers', '--format', '{{.Role}}: {{.Instruction}}', 'message')).split('\n')
  assert.match(roles[0] ?? '', /^top: .*echo hi > \/message/)
  await mica.ok('rm', 'stacked')
})

test('a slow reader gets every byte of what mica writes, also after its end', async () => {
  await mica.ok('create', '--name', 'slow', 'busybox')
  await mica.ok('export', '-o', folder.join('whole.tar'), 'slow')
  const slow = `'${LAUNCHER}' -H '${daemon.host}' export slow | { sleep 1; wc -c; }`
  const outcome = await runProgram('/bin/sh', ['-c', slow])
  assert.equal(Number(outcome.stdout), statSync(folder.join('whole.tar')).size, outcome.stderr)
  await mica.ok('rm', 'slow')
})

test('what a command names and nobody can open is said in one line', async () => {
  for (const words of [
    ['load', '-i', 'nosuch'],
    ['import', 'nosuch'],
    ['run', '--env-file', 'nosuch', 'busybox'],
    ['exec', '--env-file', 'nosuch', 'x', 'true'],
  ]) {
    const { code, stderr } = await runProgram(LAUNCHER, ['-H', daemon.host, ...words])
    const prefix = words[0] === 'run' ? 'mica: ' : ''
    assert.equal(stderr.split('\n')[0], `${prefix}open nosuch: no such file or directory`, words.join(' '))
    assert.equal(code, words[0] === 'run' ? 125 : 1)
  }
})

test('bin/mica runs from any folder and through links', async () => {
  const link = folder.join('linked')
  symlinkSync(LAUNCHER, link)
  const outcome = await runProgram(link, ['-H', daemon.host, 'version', '--format', '{{.Server.Os}}'], { cwd: '/' })
  assert.deepEqual([outcome.code, outcome.stdout], [0, 'linux\n'], outcome.stderr)
})
