import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import type { Docker, Outcome } from '#test/docker'
import { dockerClient } from '#test/docker'
import { testEnvironment } from '#test/environment'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { runAtTerminal } from '#test/terminal'
import type { TerminalOutcome, TerminalStep } from '#test/terminal'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { after, before, test } from 'node:test'

ownMountNamespace()

/** Another engine's socket, to see what it answers to the same lines; its busybox may have another tag. */
const AGAINST = process.env['MICA_TEST_AGAINST']
const IMAGE = process.env['MICA_TEST_AGAINST_IMAGE'] ?? 'busybox'

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon | undefined
let docker: Docker
let host: string

before(async () => {
  if (AGAINST === undefined) daemon = await startDaemon({ folder: folder.path })
  host = AGAINST ?? daemon?.host ?? ''
  docker = dockerClient(host)
  if (AGAINST === undefined) await docker.ok('pull', '-q', IMAGE)
})

after(async () => {
  const left = await docker.ok('ps', '-aq', '--filter', 'name=ctest')
  if (left !== '') await docker.ok('rm', '-f', ...left.split('\n'))
  docker[Symbol.dispose]()
  await daemon?.[Symbol.asyncDispose]()
  if (daemon) await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

/** A line as at a prompt; quotes keep words together. */
function words(line: string): readonly string[] {
  const found = line.replaceAll('IMAGE', IMAGE).match(/'[^']*'|\S+/g) ?? []
  return found.map((word) => word.replace(/^'(.*)'$/s, '$1'))
}

const run = (line: string, input?: string | Uint8Array): Promise<Outcome> =>
  docker.run(words(line), input === undefined ? {} : { input })

/** All that was said, with ids of either length as ID, and the exit status. */
async function said(line: string): Promise<string> {
  const { code, stdout, stderr } = await run(line)
  const text = `${stdout}${stderr}`.replaceAll(/\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b/g, 'ID')
  return `${text.replace("\n\nRun 'docker run --help' for more information", '').trim()} [${code}]`.trim()
}

/** Clients before 23 end the engine's sentence with a full stop, and have words of their own for what is not there. */
function newWords(answer: string): string {
  return answer
    .replace(/\.?\nSee 'docker run --help'\.?/, '')
    .replace(/\. \[(\d+)\]$/, ' [$1]')
    .replace(/^Error: No such/, 'Error response from daemon: No such')
}

async function saidInTurn(table: readonly (readonly [line: string, answer: string])[]): Promise<void> {
  for (const [line, answer] of table) assert.equal(newWords(await said(line)), newWords(answer), line)
}

function atTerminal(line: string, ...steps: readonly TerminalStep[]): Promise<TerminalOutcome> {
  return runAtTerminal([testEnvironment().docker, ...words(line)], { DOCKER_HOST: host }, steps)
}

test('exit codes and the words of what cannot be run', async () => {
  const fail = 'docker: Error response from daemon: '
  const { stdout, stderr, code } = await run(`run --rm IMAGE sh -c 'echo out; echo err >&2; exit 3'`)
  assert.deepEqual([stdout, stderr, code], ['out\n', 'err\n', 3])
  assert.equal((await run('run --rm IMAGE nosuch')).code, 127)
  assert.match(await said('run --rm IMAGE nosuch'), /executable file not found in \$PATH/)
  assert.equal((await run('run --rm IMAGE /etc')).code, 126)
  assert.match(await said('run --rm IMAGE /etc/passwd'), /permission denied.* \[126\]$/s)
  await saidInTurn([
    ['run --rm -u nouser IMAGE id', `${fail}unable to find user nouser: no matching entries in passwd file [125]`],
    [
      'run --rm --name a/b IMAGE true',
      `${fail}Invalid container name (a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed [125]`,
    ],
    ['run --rm --pull never nosuch true', `${fail}No such image: nosuch:latest [125]`],
    ['run --rm --cap-add FLY IMAGE true', `${fail}invalid CapAdd: unknown capability: "CAP_FLY" [125]`],
    ['run --rm --stop-signal FLY IMAGE true', `${fail}invalid signal: FLY [125]`],
    [
      'run --rm --network nosuch IMAGE true',
      `${fail}failed to set up container networking: network nosuch not found [125]`,
    ],
  ])
})

test('a container that ended: what each command says', async () => {
  const id = 'Error response from daemon: container ID is not running [1]'
  await saidInTurn([
    [`run --name ctest-one -l k=v -e A=b IMAGE sh -c 'echo out'`, 'out [0]'],
    ['logs ctest-one', 'out [0]'],
    ['logs --details ctest-one', 'out [0]'],
    ['ps -q --filter name=ctest-one', '[0]'],
    ['ps -aq --filter name=ctest-one --filter exited=0', 'ID [0]'],
    ['ps -aq --filter name=ctest-one --filter exited=1', '[0]'],
    ['ps -aq --filter name=ctest-one --filter label=k=w', '[0]'],
    ['ps -aq --filter name=ctest-one --filter label=k --filter ancestor=IMAGE', 'ID [0]'],
    ['ps --filter foo=bar', "Error response from daemon: invalid filter 'foo' [1]"],
    [
      `ps -a --filter name=ctest-one --format '{{.Names}}|{{.State}}|{{.Labels}}|{{.Command}}'`,
      `ctest-one|exited|k=v|"sh -c 'echo out'" [0]`,
    ],
    [
      `inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.Path}} {{.Args}} {{.Name}}' ctest-one`,
      'exited 0 sh [-c echo out] /ctest-one [0]',
    ],
    ['top ctest-one', id],
    ['exec ctest-one true', id],
    ['pause ctest-one', id],
    ['kill ctest-one', 'Error response from daemon: cannot kill container: ctest-one: container ID is not running [1]'],
    ['kill -s FLY ctest-one', 'Error response from daemon: cannot kill container: ctest-one: invalid signal: FLY [1]'],
    ['unpause ctest-one', 'Error response from daemon: Container ID is not paused [1]'],
    ['attach ctest-one', 'You cannot attach to a stopped container, start it first [1]'],
    ['stop ctest-one', 'ctest-one [0]'],
    ['wait ctest-one', '0 [0]'],
    [
      'rename ctest-one ctest-one',
      'Error response from daemon: Renaming a container with the same name as its current name\nError: failed to rename container named ctest-one [1]',
    ],
    ['rename ctest-one ctest-two', '[0]'],
    ['start -a ctest-two', 'out [0]'],
    ['logs --tail 1 ctest-two', 'out [0]'],
    [
      'create --name ctest-two IMAGE',
      'Error response from daemon: Conflict. The container name "/ctest-two" is already in use by container "ID". ' +
        'You have to remove (or rename) that container to be able to reuse that name. [1]',
    ],
    ['rm ctest-two', 'ctest-two [0]'],
    ['rm ctest-two', 'Error response from daemon: No such container: ctest-two [1]'],
    ['inspect ctest-two', '[]\nError: No such object: ctest-two [1]'],
  ])
})

test('a container that runs: exec, states, signals', async () => {
  await saidInTurn([
    [
      `run -d --name ctest-run -w /tmp --expose 80 IMAGE sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done'`,
      'ID [0]',
    ],
    [`ps --filter name=ctest-run --format '{{.State}} {{.Ports}} {{.Networks}}'`, 'running 80/tcp bridge [0]'],
    [`exec -u 5:6 -e X=y ctest-run sh -c 'id -u; id -g; pwd; echo $X $HOME'`, '5\n6\n/tmp\ny / [0]'],
    [`exec ctest-run sh -c 'exit 7'`, '[7]'],
    [
      'exec ctest-run /etc',
      'OCI runtime exec failed: exec failed: unable to start container process: exec: "/etc": is a directory: permission denied [126]',
    ],
    [
      'exec -u nosuch ctest-run id',
      'Error response from daemon: unable to find user nosuch: no matching entries in passwd file [1]',
    ],
    ['exec -d ctest-run touch /tmp/made', '[0]'],
    [`exec ctest-run sh -c 'until [ -e /tmp/made ]; do sleep 0.1; done'`, '[0]'],
    ['diff ctest-run', 'C /tmp\nA /tmp/made [0]'],
    ['port ctest-run', '[0]'],
    ['pause ctest-run', 'ctest-run [0]'],
    ['pause ctest-run', 'Error response from daemon: Container ID is already paused [1]'],
    [
      'exec ctest-run id',
      'Error response from daemon: Container ctest-run is paused, unpause the container before exec [1]',
    ],
    ['unpause ctest-run', 'ctest-run [0]'],
    ['start ctest-run', 'ctest-run [0]'],
    ['kill -s WINCH ctest-run', 'ctest-run [0]'],
    [
      'rm ctest-run',
      'Error response from daemon: cannot remove container "ctest-run": container is running: stop the container before removing or force remove [1]',
    ],
    ['stop ctest-run', 'ctest-run [0]'],
    ['wait ctest-run', '5 [0]'],
    ['restart ctest-run', 'ctest-run [0]'],
    ['kill ctest-run', 'ctest-run [0]'],
    ['wait ctest-run', '137 [0]'],
    ['rm ctest-run', 'ctest-run [0]'],
  ])
})

test('bytes pass both ways unchanged, and the end of the input reaches the process', async () => {
  const bytes = randomBytes(3_000_000)
  await docker.ok('run', '-d', '--name', 'ctest-bytes', IMAGE, 'sleep', '1000')
  const client = (args: readonly string[]) => docker.run(args, { input: bytes.toString('base64') })
  for (const args of [
    ['run', '--rm', '-i', IMAGE, 'cat'],
    ['exec', '-i', 'ctest-bytes', 'cat'],
  ])
    assert.equal((await client(args)).stdout, bytes.toString('base64'), args[0])
  assert.equal(await docker.ok('rm', '-f', 'ctest-bytes'), 'ctest-bytes')
})

test(
  'localhost is there in both of its families, also without a network',
  { skip: !existsSync('/proc/net/if_inet6') },
  async () => {
    for (const network of ['none', 'bridge']) {
      const addresses = await docker.ok('run', '--rm', '--network', network, IMAGE, 'ip', 'addr', 'show', 'lo')
      assert.match(addresses, /inet 127\.0\.0\.1\/8/)
      assert.match(addresses, /inet6 ::1\/128/)
    }
  },
)

test('a folder above the roots of the daemon can be bound', async () => {
  assert.notEqual(await docker.ok('run', '--rm', '-v', '/:/host:ro', IMAGE, 'ls', '/host'), '')
})

test('wait sees the end of a container that is removed with it; conditions that are none are refused', async () => {
  await docker.ok('run', '-d', '--rm', '--name', 'ctest-wait', IMAGE, 'sh', '-c', 'sleep 4; exit 3')
  assert.equal(await docker.ok('wait', 'ctest-wait'), '3')
  await until('it is removed', async () => (await docker.ok('ps', '-aq', '--filter', 'name=ctest-wait')) === '')
  const answer = await daemon?.call('POST', '/v1.50/containers/nosuch/wait?condition=foo')
  if (answer) assert.deepEqual([answer.status, answer.text], [400, '{"message":"invalid condition: \\"foo\\""}\n'])
})

test('a terminal: its size, its exit code, keys that leave it, and attaching again', async () => {
  const first = await atTerminal('run --rm -it IMAGE sh', [/# /, 'tty; exit 4\r'])
  assert.match(first.screen, /\/dev\/pts\/0/)
  assert.equal(first.code, 4)
  const left = await atTerminal('run -it --name ctest-tty IMAGE sh', [/# /, 'A=kept\r'], [/# /, '\x10\x11'])
  assert.equal(left.code, 0)
  assert.equal(await docker.ok('ps', '--filter', 'name=ctest-tty', '--format', '{{.State}}'), 'running')
  const exec = await atTerminal('exec -it ctest-tty sh', [/# /, 'echo $((40 + 2)); exit 6\r'])
  assert.match(exec.screen, /42/)
  assert.equal(exec.code, 6)
  const again = await atTerminal(
    'attach --detach-keys ctrl-a,x ctest-tty',
    [/^/, '\r'],
    [/# /, 'echo $A\r'],
    [/kept\r/, '\x01x'],
  )
  assert.equal(again.code, 1)
  const last = await atTerminal('attach ctest-tty', [/^/, '\r'], [/# /, 'exit 9\r'])
  assert.equal(last.code, 9)
  await docker.ok('rm', 'ctest-tty')
})

test('a client that is killed leaves its container and its exec running', async () => {
  const killed = async (...args: readonly string[]): Promise<void> => {
    const gone = new AbortController()
    await docker.run(args, { signal: gone.signal, heard: () => gone.abort() })
  }
  await killed('run', '--name', 'ctest-left', IMAGE, 'sh', '-c', 'while :; do echo x; sleep 0.1; done')
  const loop = 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/n; echo $i; sleep 0.05; done'
  await killed('exec', 'ctest-left', 'sh', '-c', loop)
  const count = async () => Number(await docker.ok('exec', 'ctest-left', 'cat', '/tmp/n'))
  const then = await count()
  await until('the loop goes on', async () => (await count()) > then)
  assert.equal(await docker.ok('rm', '-f', 'ctest-left'), 'ctest-left')
})

test('commit: settings, changes, and what is refused', async () => {
  await docker.ok('create', '--name', 'ctest-commit', '-e', 'A=b', '-l', 'k=v', IMAGE, 'sleep', '1')
  await docker.ok('commit', '-m', 'why', '-a', 'who', '-c', 'CMD ["x"]', '-c', 'EXPOSE 90', 'ctest-commit', 'ctest:1')
  const format = '{{.Config.Cmd}} {{.Config.Labels}} {{.Config.ExposedPorts}} {{.Comment}} {{.Author}}'
  assert.equal(await docker.ok('image', 'inspect', '-f', format, 'ctest:1'), '[x] map[k:v] map[90/tcp:{}] why who')
  assert.match(await said(`commit -c 'RUN x' ctest-commit ctest:2`), /RUN is not a valid change command/)
  assert.match(
    await said('commit ctest-commit Bad'),
    /invalid reference format: repository name( \(library\/Bad\))? must be lowercase/,
  )
  await docker.ok('rmi', 'ctest:1')
  await docker.ok('rm', 'ctest-commit')
})

const refused = [
  ['run --rm --memory 100m IMAGE true', '--memory'],
  ['run --restart always IMAGE true', '--restart'],
  ['run --rm --health-cmd true IMAGE true', '--health-cmd'],
  ['run --rm --ulimit nofile=5 IMAGE true', '--ulimit'],
] as const

test('what is not carried out yet is refused by its flag', { skip: AGAINST !== undefined }, async () => {
  for (const [line, flag] of refused) {
    assert.match(
      await said(line),
      new RegExp(`^docker: Error response from daemon: ${flag}: not yet carried out by mica`),
    )
  }
  await docker.ok('create', '--name', 'ctest-later', IMAGE)
  for (const line of ['stats --no-stream ctest-later', 'update --memory 9m ctest-later'])
    assert.match(await said(line), new RegExp(`docker ${line.split(' ')[0]}: not yet carried out by mica`))
  await docker.ok('rm', 'ctest-later')
})
