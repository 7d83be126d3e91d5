import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BuildEvent } from '#engine'
import { parseImageId, parseReference } from '#oci'
import type { ProgressLine } from '#wire'
import { BuildStream } from './build-stream.ts'

const image = (digit: string) => parseImageId(`sha256:${digit.repeat(64)}`)
const plan = (...texts: readonly string[]): BuildEvent => ({
  kind: 'plan',
  steps: texts.map((text, index) => ({ number: index + 1, text })),
})
const start = (step: number): BuildEvent => ({ kind: 'start', step })
const done = (step: number, digit: string): BuildEvent => ({ kind: 'done', step, image: image(digit) })
const said = (step: number, text: string | Uint8Array, stream: 'stdout' | 'stderr' = 'stdout'): BuildEvent => ({
  kind: 'output',
  step,
  stream,
  bytes: Buffer.from(text),
})

function streamOf(events: readonly BuildEvent[]): { readonly stream: BuildStream; readonly lines: ProgressLine[] } {
  const lines: ProgressLine[] = []
  const stream = new BuildStream((line) => lines.push(line))
  for (const event of events) stream.event(event)
  return { stream, lines }
}

const textOf = (lines: readonly ProgressLine[]): string => lines.map((line) => line.stream ?? '').join('')

test('BuildStream writes the classic lines', () => {
  const { stream, lines } = streamOf([
    plan('FROM x', 'RUN y', 'CMD z'),
    start(1),
    done(1, 'a'),
    start(2),
    { kind: 'run', step: 2, id: '0123456789abcdef' },
    said(2, 'out\n'),
    said(2, 'err\n', 'stderr'),
    done(2, 'b'),
    start(3),
    { kind: 'cached', step: 3 },
    { kind: 'warning', text: '[Warning] One or more build-args [q] were not consumed' },
    done(3, 'c'),
  ])
  stream.finish({ image: image('c'), tags: [parseReference('x'), parseReference('localhost:5000/y:1')] })
  assert.equal(
    textOf(lines),
    [
      'Step 1/3 : FROM x',
      ' ---> aaaaaaaaaaaa',
      'Step 2/3 : RUN y',
      ' ---> Running in 0123456789ab',
      'out',
      '\u001B[91merr',
      '\u001B[0m ---> Removed intermediate container 0123456789ab',
      ' ---> bbbbbbbbbbbb',
      'Step 3/3 : CMD z',
      ' ---> Using cache',
      ' ---> cccccccccccc',
      '[Warning] One or more build-args [q] were not consumed',
      'Successfully built cccccccccccc',
      'Successfully tagged x:latest',
      'Successfully tagged localhost:5000/y:1',
      '',
    ].join('\n'),
  )
  assert.deepEqual(
    lines.find((line) => line.aux !== undefined),
    { aux: { ID: image('c') } },
  )
})

test('BuildStream holds back what later stages say until it is their turn', () => {
  const { stream, lines } = streamOf([plan('FROM x', 'RUN a', 'FROM y', 'RUN b'), start(1), start(3)])
  stream.event(done(3, 'c'))
  stream.event(start(4))
  stream.event(said(4, 'late'))
  assert.equal(textOf(lines), 'Step 1/4 : FROM x\n')
  stream.event(done(1, 'a'))
  stream.event(start(2))
  stream.event(said(2, 'live'))
  assert.match(textOf(lines), /Step 2\/4 : RUN a\nlive$/)
  stream.event(done(2, 'b'))
  assert.match(textOf(lines), / ---> bbbbbbbbbbbb\nStep 3\/4 : FROM y\n ---> cccccccccccc\nStep 4\/4 : RUN b\nlate$/)
  stream.event(said(4, ' and live'))
  assert.match(textOf(lines), /late and live$/)
})

test('BuildStream does not wait for an ARG before the first FROM', () => {
  const { lines } = streamOf([plan('ARG v=1', 'FROM x:$v', 'CMD y'), start(1), start(2), done(2, 'a'), start(3)])
  assert.equal(textOf(lines), 'Step 1/3 : ARG v=1\nStep 2/3 : FROM x:$v\n ---> aaaaaaaaaaaa\nStep 3/3 : CMD y\n')
})

test('flush() shows the failed step of a stage whose turn had not come', () => {
  const { stream, lines } = streamOf([plan('FROM x', 'RUN a', 'FROM y', 'RUN b'), start(1), start(3), done(3, 'c')])
  stream.event(start(4))
  stream.event(said(4, 'why it failed'))
  stream.flush()
  assert.match(textOf(lines), /Step 4\/4 : RUN b\nwhy it failed$/)
})

test('BuildStream joins a character that came in two pieces', () => {
  const [one, other] = [Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)]
  const { lines } = streamOf([plan('FROM x'), start(1), said(1, one), said(1, other), said(1, one), done(1, 'a')])
  assert.equal(textOf(lines), 'Step 1/1 : FROM x\né\uFFFD ---> aaaaaaaaaaaa\n')
})

test('BuildStream passes the progress of a pull on, in its step', () => {
  const progress = { id: 'abc', status: 'Downloading', current: 5, total: 10 }
  const { lines } = streamOf([plan('FROM x'), start(1), { kind: 'pull', step: 1, progress }])
  assert.equal(lines.at(-1)?.status, 'Downloading')
  assert.deepEqual(lines.at(-1)?.progressDetail, { current: 5, total: 10 })
})

test('BuildStream says what the reader of the Dockerfile warns of at once', () => {
  const { lines } = streamOf([{ kind: 'warning', text: 'Rule: text (line 1)' }, plan('FROM x')])
  assert.equal(textOf(lines), '[Warning] Rule: text (line 1)\n')
})
