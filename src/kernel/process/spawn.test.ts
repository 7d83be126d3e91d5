import assert from 'node:assert/strict'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { devNull } from 'node:os'
import { test } from 'node:test'
import { isKind } from '#base'
import { createPipe, isErrno, readDescriptor, writeDescriptor } from '#kernel/call'
import { exitStatus, runProcess, spawnProcess } from './spawn.ts'

const SH = '/bin/sh'

async function text(fd: number): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of readDescriptor(fd)) chunks.push(chunk)
  closeSync(fd)
  return Buffer.concat(chunks).toString()
}

test('runProcess() gives status, stdout and stderr apart', async () => {
  const { status, stdout, stderr } = await runProcess(SH, ['-c', 'cat; echo wrong >&2; exit 3'], {
    input: Buffer.from('in'),
  })
  assert.deepEqual(status, { code: 3 })
  assert.equal(stdout.toString(), 'in')
  assert.equal(stderr.toString(), 'wrong\n')
})

test('runProcess() passes megabytes through a program and back', async () => {
  const input = Buffer.alloc(3_000_000, 'abcdefg')
  const { stdout } = await runProcess('cat', [], { input })
  assert.ok(stdout.equals(input))
})

test('runProcess() keeps no more output than its limit', async () => {
  const { status, stdout } = await runProcess(SH, ['-c', 'head -c 300000 /dev/zero'], { limit: 1000 })
  assert.equal(status.code, 0)
  assert.equal(stdout.length, 1000)
})

test('runProcess() gives exactly the environment and folder asked for', async () => {
  const { stdout } = await runProcess('env', [], { env: { A: 'b=c' }, cwd: '/usr' })
  assert.equal(stdout.toString(), 'A=b=c\n')
  const where = await runProcess('pwd', [], { cwd: '/usr' })
  assert.equal(where.stdout.toString(), '/usr\n')
})

test('runProcess() kills the program when the signal is aborted', async () => {
  const controller = new AbortController()
  const running = runProcess('sleep', ['60'], { signal: controller.signal })
  controller.abort()
  await assert.rejects(running, (error) => isKind(error, 'cancelled'))
})

test('spawnProcess() says which program is missing', () => {
  assert.throws(
    () => spawnProcess({ file: '/no/such/program', args: [], stdio: ['ignore', 'ignore', 'ignore'] }),
    (error) =>
      isErrno(error, 'ENOENT') && error.message.startsWith('start /no/such/program: no such file or directory'),
  )
})

test('spawnProcess() tells a signal as 128 + its number', async () => {
  const child = spawnProcess({ file: SH, args: ['-c', 'kill -TERM $$'], stdio: ['ignore', 'ignore', 'ignore'] })
  assert.deepEqual(await child.exited, { code: 143, signal: 'SIGTERM' })
})

test('spawnProcess() hands on the wanted descriptors, swapped ones too, and no other', async () => {
  const strangers = [openSync(devNull, 'r'), openSync(devNull, 'r')]
  const [first, second] = [createPipe(), createPipe()]
  const script = 'echo one >&3; echo two >&4; ls /proc/$$/fd'
  const child = spawnProcess({
    file: SH,
    args: ['-c', script],
    stdio: ['ignore', 'pipe', 'ignore', second.to, first.to],
  })
  for (const fd of [first.to, second.to, ...strangers]) closeSync(fd)
  assert.equal(await text(first.from), 'two\n')
  assert.equal(await text(second.from), 'one\n')
  const open = (await text(child.pipes.get(1) ?? -1)).trim().split('\n')
  // dash keeps the script itself nowhere: five descriptors, and none of ours.
  assert.deepEqual(open, ['0', '1', '2', '3', '4'])
  assert.equal((await child.exited).code, 0)
})

test('spawnProcess() gives default signal handlers to the child', async () => {
  const child = spawnProcess({ file: 'cat', args: ['/proc/self/status'], stdio: ['ignore', 'pipe', 'ignore'] })
  const status = await text(child.pipes.get(1) ?? -1)
  assert.match(status, /SigIgn:\t0000000000000000/)
  assert.match(status, /SigBlk:\t0000000000000000/)
  await child.exited
})

test('spawnProcess() starts a session of its own where asked', async () => {
  const child = spawnProcess({
    file: 'cat',
    args: ['/proc/self/stat'],
    stdio: ['ignore', 'pipe', 'ignore'],
    session: true,
  })
  const session = (await text(child.pipes.get(1) ?? -1)).split(' ')[5]
  assert.equal(Number(session), child.pid)
  const keep = setInterval(() => undefined, 1000)
  await child.exited
  clearInterval(keep)
})

test('spawnProcess() leaves no descriptor open here', async () => {
  const before = readdirSync('/proc/self/fd').length
  for (let round = 0; round < 5; round += 1) await runProcess('true', [])
  assert.throws(() => spawnProcess({ file: '/no/such', args: [], stdio: ['pipe', 'pipe', 'pipe'] }))
  assert.equal(readdirSync('/proc/self/fd').length, before)
})

test('children are reaped, many at once', async () => {
  const codes = await Promise.all(Array.from({ length: 20 }, (_, code) => runProcess(SH, ['-c', `exit ${code}`])))
  assert.deepEqual(
    codes.map(({ status }) => status.code),
    Array.from({ length: 20 }, (_, code) => code),
  )
  const zombies = readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim()
  assert.equal(zombies, '')
})

test('writeDescriptor() waits for a slow reader and tells a closed one by EPIPE', async () => {
  const { from, to } = createPipe()
  const wrote = writeDescriptor(to, Buffer.alloc(500_000))
  let size = 0
  for await (const chunk of readDescriptor(from)) {
    size += chunk.length
    if (size === 500_000) break
  }
  await wrote
  closeSync(from)
  await assert.rejects(writeDescriptor(to, Buffer.from('x')), (error) => isErrno(error, 'EPIPE'))
  closeSync(to)
})

test('readDescriptor() of an idle pipe ends when the signal is aborted', async () => {
  const { from, to } = createPipe()
  const controller = new AbortController()
  const reading = readDescriptor(from, { signal: controller.signal })[Symbol.asyncIterator]().next()
  setImmediate(() => controller.abort())
  await assert.rejects(reading, (error) => isKind(error, 'cancelled'))
  closeSync(from)
  closeSync(to)
})

test('exitStatus() reads what waitpid gives', () => {
  const cases = [
    [0, { code: 0 }],
    [3 << 8, { code: 3 }],
    [9, { code: 137, signal: 'SIGKILL' }],
    [11 | 0x80, { code: 139, signal: 'SIGSEGV' }],
  ] as const
  for (const [status, expected] of cases) assert.deepEqual(exitStatus(status), expected)
})
