import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { decode, encode } from '#test/resolver'
import type { Exchange } from './exchange.ts'
import { encodeAnswer, parseQuery } from './message.ts'
import { createUpstream, type Question, type UpstreamTimes } from './upstream.ts'

const TIMES: UpstreamTimes = { head: 5, patience: 60, penalty: 10_000 }
const SERVERS = ['one', 'two', 'three'].map((address) => ({ address }))

function questionOf(name: string, id = 1): Question {
  const message = encode(id, { name, type: 'A' })
  return { message, question: message.subarray(12), protocol: 'udp' }
}

/** What each server does: a code to answer with, silence, or refusal. */
type Servers = Readonly<Record<string, number | 'silent' | 'refuses'>>

function scene(servers: Servers) {
  const asked: string[] = []
  const exchange: Exchange = async ({ address }, { message }) => {
    asked.push(address)
    const way = servers[address]
    if (way === 'silent') return await new Promise<never>(() => undefined)
    const parsed = parseQuery(message)
    if (typeof way !== 'number' || parsed.kind !== 'query') throw new Error('refused')
    return encodeAnswer(parsed.query, way)
  }
  const upstream = createUpstream(exchange, TIMES)
  const ask = (question: Question) => inOwnTime(() => upstream.ask(SERVERS, question))
  return { asked, ask, upstream }
}

/** Timers go on only when nothing else is left to do. */
async function inOwnTime<T>(work: () => Promise<T>): Promise<T> {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    let done = false
    const result = work().finally(() => (done = true))
    for (;;) {
      await turn()
      if (done) return await result
      mock.timers.tick(1)
    }
  } finally {
    mock.timers.reset()
  }
}

for (const [what, servers, code, asked] of [
  ['the first server where it answers', { one: 0, two: 0 }, 0, ['one']],
  ['that a name does not exist', { one: 3, two: 0 }, 3, ['one']],
  ['the next where one refuses', { one: 'refuses', two: 0 }, 0, ['one', 'two']],
  ['the next where one is silent', { one: 'silent', two: 'silent', three: 0 }, 0, ['one', 'two', 'three']],
  ['the next where one fails', { one: 2, two: 3 }, 3, ['one', 'two']],
  ['a failure where nobody knows better', { one: 2, two: 'refuses', three: 5 }, 2, ['one', 'two', 'three']],
  [
    'nothing where nobody answers',
    { one: 'silent', two: 'refuses', three: 'silent' },
    undefined,
    ['one', 'two', 'three'],
  ],
] as const satisfies readonly (readonly [string, Servers, number | undefined, readonly string[]])[])
  test(`ask() gives ${what}`, async () => {
    const { asked: seen, ask } = scene(servers)
    const answer = await ask(questionOf('x', 0xabcd))
    assert.deepEqual(seen, asked)
    assert.deepEqual(
      answer && [answer.readUInt16BE(0), decode(answer).code],
      code === undefined ? undefined : [0xabcd, code],
    )
  })

test('ask() leaves a silent server for last afterwards', async () => {
  const { asked, ask } = scene({ one: 'silent', two: 0, three: 0 })
  await ask(questionOf('x'))
  await ask(questionOf('y'))
  assert.deepEqual(asked, ['one', 'two', 'two'])
})

test('ask() asks the same question once for several clients, each under its own number', async () => {
  const { asked, upstream } = scene({ one: 0 })
  const answers = await Promise.all([11, 12, 13].map((id) => upstream.ask(SERVERS, questionOf('x', id))))
  assert.deepEqual(asked, ['one'])
  assert.deepEqual(
    answers.map((answer) => answer?.readUInt16BE(0)),
    [11, 12, 13],
  )
})

test('ask() has nothing without servers', async () => {
  assert.equal(await scene({}).upstream.ask([], questionOf('x')), undefined)
})
