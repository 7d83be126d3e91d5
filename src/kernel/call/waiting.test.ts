import assert from 'node:assert/strict'
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { closeDescriptor } from './descriptor.ts'
import { createPipe } from './pipe.ts'
import { setNonBlocking } from './poll.ts'
import { isErrno } from './system-call-error.ts'
import { readBodyWaiting, readWaiting, sendFileWaiting, writeWaiting } from './waiting.ts'

const going = { cancelled: () => false }
const stopped = { cancelled: () => true }

function pipe(t: TestContext, nonBlocking: boolean): { readonly from: number; readonly to: number } {
  const made = createPipe()
  setNonBlocking(made.from, nonBlocking)
  setNonBlocking(made.to, nonBlocking)
  t.after(() => [made.from, made.to].forEach(closeDescriptor))
  return made
}

function file(t: TestContext, bytes: Buffer): number {
  const folder = mkdtempSync(join(tmpdir(), 'mica-kernel-'))
  const path = join(folder, 'file')
  writeFileSync(path, bytes)
  const fd = openSync(path, 'r')
  t.after(() => {
    closeDescriptor(fd)
    rmSync(folder, { recursive: true })
  })
  return fd
}

for (const nonBlocking of [true, false])
  test(`bytes go through a pipe that is ${nonBlocking ? 'non-blocking' : 'blocking'}`, (t) => {
    const { from, to } = pipe(t, nonBlocking)
    writeWaiting(to, Buffer.from('hello'), going)
    assert.equal(sendFileWaiting(file(t, Buffer.from(' you')), to, { length: 10, stopper: going }), 4)
    const buffer = Buffer.alloc(20)
    assert.equal(buffer.toString('latin1', 0, readWaiting(from, buffer, going)), 'hello you')
  })

test('who waits at a full or an empty pipe stops when it is told to', (t) => {
  const { from, to } = pipe(t, true)
  assert.throws(() => readWaiting(from, Buffer.alloc(1), stopped), { kind: 'cancelled' })
  assert.throws(() => writeWaiting(to, Buffer.alloc(1 << 20), stopped), { kind: 'cancelled' })
  const large = file(t, Buffer.alloc(1 << 20))
  assert.throws(() => sendFileWaiting(large, to, { length: 1 << 20, stopper: stopped }), { kind: 'cancelled' })
})

test('a wait ends when the pipe has room again', (t) => {
  const { from, to } = pipe(t, true)
  let looks = 0
  const reader = {
    cancelled() {
      looks += 1
      readWaiting(from, Buffer.alloc(1 << 20), going)
      return false
    },
  }
  writeWaiting(to, Buffer.alloc(300_000), reader)
  assert.ok(looks > 0)
})

test('a closed other end is EPIPE', (t) => {
  const { from, to } = createPipe()
  t.after(() => closeDescriptor(to))
  closeDescriptor(from)
  assert.throws(
    () => writeWaiting(to, Buffer.from('x'), going),
    (error) => isErrno(error, 'EPIPE'),
  )
})

test('a body is read to its end, each time in one piece what came at once, and nothing behind it', (t) => {
  const { from, to } = pipe(t, true)
  const taken: string[] = []
  let sent = 0
  const pieces = ['4\r\nWiki\r\n5\r\npedia\r\n3', '\r\n in\r\nA\r\n', ' ten bytes\r\n0\r\n\r\nGET']
  const stopper = {
    cancelled() {
      writeWaiting(to, Buffer.from(pieces[sent++] ?? ''), going)
      return false
    },
  }
  const framed = { framing: 'chunked', begun: Buffer.from('3\r\nin \r\n') } as const
  readBodyWaiting(from, framed, (bytes) => taken.push(Buffer.from(bytes).toString('latin1')), stopper)
  assert.deepEqual(taken, ['in ', 'Wikipedia', ' in', ' ten bytes'])
  assert.equal(sent, pieces.length)
})

test('a body that ends early is refused', (t) => {
  const { from, to } = createPipe()
  t.after(() => closeDescriptor(from))
  writeWaiting(to, Buffer.from('12345'), going)
  closeDescriptor(to)
  assert.throws(() => readBodyWaiting(from, { framing: 6, begun: Buffer.alloc(0) }, () => undefined, going), {
    kind: 'invalid',
  })
})
