import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDetachScan } from './streams.ts'
import { showProgress } from './progress.ts'
import type { Output } from './command.ts'
import type { ProgressLine } from '#wire'

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)

test('createDetachScan() holds the sequence back, also over chunks, and lets go what is none', () => {
  const scan = createDetachScan(bytes(16, 17))
  assert.deepEqual(scan(bytes(1, 16)), { pass: bytes(1), detached: false })
  assert.deepEqual(scan(bytes(2)), { pass: bytes(16, 2), detached: false })
  assert.deepEqual(scan(bytes(16, 16)), { pass: bytes(16), detached: false })
  assert.deepEqual(scan(bytes(17, 3)), { pass: bytes(), detached: true })
})

test('createDetachScan() passes everything where nothing detaches', () => {
  assert.deepEqual(createDetachScan(undefined)(bytes(16, 17)), { pass: bytes(16, 17), detached: false })
})

function recorder(terminal: boolean): { readonly output: Output; readonly text: () => string } {
  const parts: string[] = []
  const output: Output = {
    terminal,
    write: (chunk) => void parts.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()),
    size: () => ({ rows: 24, columns: 80 }),
    drained: () => Promise.resolve(),
    onResize: () => ({ [Symbol.dispose]: () => undefined }),
  }
  return { output, text: () => parts.join('') }
}

async function* linesOf(...lines: readonly ProgressLine[]): AsyncIterable<ProgressLine> {
  yield* lines
}

test('showProgress() prints streams and statuses, and no bars where there is no terminal', async () => {
  const { output, text } = recorder(false)
  const seen: unknown[] = []
  const lines = linesOf(
    { status: 'Pulling from library/x', id: 'latest' },
    { status: 'Downloading', id: 'abc', progressDetail: { current: 1, total: 2 }, progress: '[=>] 1B/2B' },
    { status: 'Pull complete', id: 'abc', progressDetail: {} },
    { stream: 'Step 1/1 : FROM x\n' },
    { aux: { ID: 'sha256:1' } },
  )
  await showProgress(lines, output, (aux) => seen.push(aux))
  assert.equal(text(), 'latest: Pulling from library/x\nabc: Pull complete\nStep 1/1 : FROM x\n')
  assert.deepEqual(seen, [{ ID: 'sha256:1' }])
})

test('showProgress() rewrites the row of an id on a terminal', async () => {
  const { output, text } = recorder(true)
  const row = (id: string, status: string): ProgressLine => ({ id, status, progressDetail: {} })
  await showProgress(linesOf(row('a', 'Waiting'), row('b', 'Waiting'), row('a', 'Done')), output)
  assert.equal(text(), 'a: Waiting\nb: Waiting\n\u001B[2A\r\u001B[2Ka: Done\r\u001B[2B')
})

test('showProgress() throws the error of the stream', async () => {
  const { output } = recorder(false)
  await assert.rejects(showProgress(linesOf({ error: 'no', errorDetail: { code: 7, message: 'no way' } }), output), {
    message: 'no way',
  })
})
