import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defer } from '#base'
import { serve } from '#test/serving'
import { streamProgress } from './progress-stream.ts'

test('a stream that says that it has ended has, whatever its work still does', async () => {
  const clearing = defer<undefined>()
  await using server = await serve([
    {
      method: 'POST',
      pattern: '/work',
      handle: (exchange) =>
        streamProgress(exchange, async ({ line, end }) => {
          line({ stream: 'done\n' })
          end()
          await clearing.promise
          line({ stream: 'too late\n' })
        }),
    },
  ])
  const { text } = await server.call('/work', { method: 'POST' })
  clearing.resolve(undefined)
  assert.equal(text, '{"stream":"done\\n"}\r\n')
})
