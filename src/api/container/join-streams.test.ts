import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ByteQueue, createByteQueue, defer } from '#base'
import type { StreamEnds } from '#engine'
import { decodeFrames } from '#wire'
import type { RawStream } from '#api/exchange'
import { type JoinOptions, joinStreams } from './join-streams.ts'

/** Both sides in the hand of a test: what a client types and hears, what a process hears and says. */
function stage() {
  const typed = createByteQueue()
  const heard: Uint8Array[] = []
  const given: string[] = []
  const closed = new AbortController()
  const state = { ended: false, inputClosed: false }
  const client: RawStream = {
    input: typed,
    write: async (bytes, { head = Buffer.alloc(0), release } = {}) => {
      heard.push(Buffer.concat([head, bytes]))
      release?.()
    },
    end: () => void (state.ended = true),
    closed: closed.signal,
  }
  const said = createByteQueue()
  const ends: StreamEnds = {
    output: outputOf(said),
    write: async (chunk) => void given.push(Buffer.from(chunk).toString()),
    closeInput: async () => void (state.inputClosed = true),
    resize: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  return { typed, heard, given, closed, state, client, ends, said }
}

/** What begins with «!» goes to stderr. */
async function* outputOf(said: ByteQueue): StreamEnds['output'] {
  for await (const bytes of said) yield { stream: bytes[0] === 0x21 ? 'stderr' : 'stdout', bytes }
}

const ALL: JoinOptions = {
  raw: false,
  stdin: true,
  stdout: true,
  stderr: true,
  closesInput: true,
  detachKeys: undefined,
}

async function framesOf(heard: readonly Uint8Array[]): Promise<readonly string[]> {
  const all = (async function* () {
    yield* heard
  })()
  return (await Array.fromAsync(decodeFrames(all))).map(
    ({ stream, bytes }) => `${stream} ${Buffer.from(bytes).toString()}`,
  )
}

test('joinStreams() sends frames by stream and ends with the output', async () => {
  const { client, ends, said, heard, state, typed, given } = stage()
  const joined = joinStreams(client, ends, ALL)
  await said.push(Buffer.from('out'))
  await said.push(Buffer.from('!err'))
  await typed.push(Buffer.from('in'))
  typed.end()
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([given, state], [['in'], { ended: false, inputClosed: true }])
  await said.push(Buffer.from('more'))
  said.end()
  const { how } = await joined
  assert.deepEqual([how, state.ended], ['ended', true])
  assert.deepEqual(await framesOf(heard), ['stdout out', 'stderr !err', 'stdout more'])
})

test('joinStreams() leaves out the streams that were not asked for, and is raw with a terminal', async () => {
  const { client, ends, said, heard } = stage()
  const joined = joinStreams(client, ends, { ...ALL, raw: true, stderr: false })
  await said.push(Buffer.from('out'))
  await said.push(Buffer.from('!err'))
  said.end()
  await joined
  assert.equal(Buffer.concat(heard).toString(), 'out')
})

test('joinStreams() is left by the keys; the process hears what was typed before them', async () => {
  const { client, ends, said, typed, given, state } = stage()
  const joined = joinStreams(client, ends, { ...ALL, closesInput: false, detachKeys: [16, 17] })
  await typed.push(Buffer.from('ls\u0010'))
  await typed.push(Buffer.from('\u0011rm'))
  const { how, drained } = await joined
  assert.deepEqual([how, given, state], ['left', ['ls'], { ended: true, inputClosed: false }])
  said.end()
  await drained
})

test('joinStreams() is left when the client goes; what comes then goes nowhere', async () => {
  const { client, ends, said, heard, closed } = stage()
  const joined = joinStreams(client, ends, ALL)
  closed.abort()
  const { how, drained } = await joined
  await said.push(Buffer.from('late'))
  said.end()
  await drained
  assert.deepEqual([how, heard], ['left', []])
})

test('joinStreams() gives no input on where stdin was not asked for, and its end says nothing', async () => {
  const { client, ends, said, typed, given, state } = stage()
  const joined = joinStreams(client, ends, { ...ALL, stdin: false })
  await typed.push(Buffer.from('in'))
  typed.end()
  await new Promise((resolve) => setImmediate(resolve))
  said.end()
  assert.equal((await joined).how, 'ended')
  assert.deepEqual([given, state.inputClosed], [[], false])
})

test('joinStreams() keeps the connection until the exit is known', async () => {
  const { client, ends, said, state } = stage()
  const exit = defer<void>()
  const joined = joinStreams(client, ends, { ...ALL, until: exit.promise })
  said.end()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(state.ended, false)
  exit.resolve()
  await joined
  assert.equal(state.ended, true)
})
