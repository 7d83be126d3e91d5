import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { isKind } from '#base'
import { descriptorPath, isErrno, readDescriptor, writeDescriptor } from '#kernel/call'
import { connectSeqpacket, listenForDescriptor, setTerminalSize, shutdownWrite } from './socket.ts'

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'mica-socket-'))
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

for (const when of ['while one waits for it', 'though its sender has ended, and nobody waits any more'] as const)
  test(
    `a descriptor comes over a socket ${when}`,
    { skip: !hasPython() && 'no python3 to play the sender' },
    async (t) => {
      const base = folder(t)
      writeFileSync(join(base, 'file'), 'sent')
      using listener = listenForDescriptor(join(base, 's'))
      const script = `import socket,os
s=socket.socket(socket.AF_UNIX);s.connect(${JSON.stringify(join(base, 's'))})
socket.send_fds(s,[b'/dev/ptmx'],[os.open(${JSON.stringify(join(base, 'file'))},os.O_RDONLY)])`
      const sender = spawn('python3', ['-c', script], { stdio: 'inherit' })
      const ended = once(sender, 'exit')
      const isLate = when.startsWith('though')
      if (isLate) await ended
      const fd = await listener.receive(isLate ? AbortSignal.abort() : undefined)
      assert.equal(readFileSync(descriptorPath(fd), 'utf8'), 'sent')
      closeSync(fd)
      await ended
    },
  )

test('receive() ends when the signal is aborted', async (t) => {
  using listener = listenForDescriptor(join(folder(t), 's'))
  await assert.rejects(listener.receive(AbortSignal.abort()), (error) => isKind(error, 'cancelled'))
})

test(
  'connectSeqpacket() does not wait for a listener that takes nobody',
  { skip: !hasPython() && 'no python3 to play the peer' },
  async (t) => {
    const path = join(folder(t), 's')
    const script = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET);s.bind(${JSON.stringify(path)});s.listen(1);print('ready',flush=True)
sys.stdin.read()`
    const peer = spawn('python3', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'], timeout: 10_000 })
    await new Promise((resolve) => peer.stdout.once('data', resolve))
    const open: number[] = []
    const fill = (): void => {
      for (let count = 0; count < 5; count += 1) open.push(connectSeqpacket(path))
    }
    assert.throws(fill, (error) => isErrno(error, 'EAGAIN'))
    for (const fd of open) closeSync(fd)
    peer.stdin.end()
    await new Promise((resolve) => peer.on('exit', resolve))
  },
)

test(
  'packets of a SOCK_SEQPACKET socket stay whole',
  { skip: !hasPython() && 'no python3 to play the peer' },
  async (t) => {
    const path = join(folder(t), 's')
    const script = `import socket
s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET);s.bind(${JSON.stringify(path)});s.listen(1);print('ready',flush=True)
c,_=s.accept();c.send(b'\\x02one');c.send(b'\\x03two')
while True:
  got=c.recv(100)
  if not got: break
  c.send(b'got '+got)
c.close()`
    const peer = spawn('python3', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => peer.stdout.once('data', resolve))
    const fd = connectSeqpacket(path)
    await writeDescriptor(fd, Buffer.from('in'))
    shutdownWrite(fd)
    const packets: string[] = []
    for await (const chunk of readDescriptor(fd)) packets.push(Buffer.from(chunk).toString())
    closeSync(fd)
    assert.deepEqual(packets, ['\x02one', '\x03two', 'got in'])
    await new Promise((resolve) => peer.on('exit', resolve))
  },
)

test('a socket path that is too long is refused with a sentence', () => {
  assert.throws(() => connectSeqpacket(`/${'x'.repeat(107)}`), /longer than 107 bytes/)
  assert.throws(
    () => connectSeqpacket('/no/such'),
    (error) => isErrno(error, 'ENOENT'),
  )
})

test('setTerminalSize() sets rows and columns', () => {
  const master = openSync('/dev/ptmx', 'r+')
  setTerminalSize(master, 40, 120)
  assert.throws(
    () => setTerminalSize(openNull(), 1, 1),
    (error) => isErrno(error, 'ENOTTY'),
  )
  closeSync(master)
})

function openNull(): number {
  return openSync('/dev/null', 'r')
}

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', ''])
    return true
  } catch {
    return false
  }
}
