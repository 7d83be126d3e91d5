import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProgressLine } from '#wire'
import type { Output } from './command.ts'
import { showProgress } from './progress.ts'

const LINES: readonly ProgressLine[] = [
  { status: 'Pulling from library/x', id: 'latest' },
  { status: 'Pulling fs layer', id: 'aaaa', progressDetail: {} },
  { status: 'Pulling fs layer', id: 'bbbb', progressDetail: {} },
  { status: 'Downloading', id: 'aaaa', progressDetail: { current: 1_500_000, total: 3_000_000 } },
  { status: 'Pull complete', id: 'aaaa', progressDetail: {} },
  { status: 'Status: Downloaded newer image for x:latest' },
]

async function shown(lines: readonly ProgressLine[], size?: ReturnType<Output['size']>): Promise<string> {
  let text = ''
  const output: Output = {
    terminal: size !== undefined,
    write: (chunk) => void (text += String(chunk)),
    size: () => size ?? { rows: 0, columns: 0 },
    drained: () => Promise.resolve(),
    onResize: () => ({ [Symbol.dispose]: () => undefined }),
  }
  const all = async function* () {
    yield* lines
  }
  await showProgress(all(), output)
  return text
}

test('showProgress() prints plain lines without bars and escapes where there is no terminal', async () => {
  assert.equal(
    await shown(LINES),
    'latest: Pulling from library/x\naaaa: Pulling fs layer\nbbbb: Pulling fs layer\naaaa: Pull complete\nStatus: Downloaded newer image for x:latest\n',
  )
})

test('showProgress() rewrites the row of an id on a terminal, with a bar where it has room', async () => {
  const bar = `[${'='.repeat(25)}>${' '.repeat(25)}]    1.5MB/3MB`
  const up = (text: string): string => `\u001B[2A\r\u001B[2K${text}\r\u001B[2B`
  assert.equal(
    await shown(LINES, { rows: 40, columns: 120 }),
    `latest: Pulling from library/x\naaaa: Pulling fs layer\nbbbb: Pulling fs layer\n${up(`aaaa: Downloading ${bar}`)}${up('aaaa: Pull complete')}Status: Downloaded newer image for x:latest\n`,
  )
})

test('showProgress() shows the numbers alone on a narrow terminal, and never fills its last column', async () => {
  assert.match(await shown(LINES, { rows: 40, columns: 80 }), /aaaa: Downloading {4}1\.5MB\/3MB\r/)
  assert.match(await shown(LINES, { rows: 40, columns: 20 }), /2Kaaaa: Downloading {2}\r/)
  assert.match(await shown(LINES, { rows: 0, columns: 0 }), /aaaa: Downloading {4}1\.5MB\/3MB\r/)
})

test('showProgress() leaves rows alone that have left the screen', async () => {
  const rows = Array.from({ length: 10 }, (_, index): ProgressLine => ({
    status: 'Waiting',
    id: `${index}`,
    progressDetail: {},
  }))
  const text = await shown([...rows, { status: 'Done', id: '0', progressDetail: {} }], { rows: 5, columns: 80 })
  assert.doesNotMatch(text, /Done/)
})

test('showProgress() throws what the stream says went wrong, with its code', async () => {
  const lines = [...LINES, { error: 'no', errorDetail: { message: 'no way', code: 3 } }]
  await assert.rejects(shown(lines), (error: Error & { details?: object }) => error.message === 'no way')
})
