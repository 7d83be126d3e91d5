import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { test } from 'node:test'
import { conflict, defer, internal } from '#base'
import type { CheckSummary, Engine } from '#engine'
import { serve } from '#test/serving'
import { checkRoutes } from './check-routes.ts'

const routesOf = (check: Engine['system']['check']) =>
  checkRoutes({ system: { check } } as unknown as Pick<Engine, 'system'>)

async function ask(socketPath: string): Promise<IncomingMessage> {
  const asked = request({ socketPath, method: 'POST', path: '/x/check' })
  asked.end()
  const [response]: IncomingMessage[] = await once(asked, 'response')
  assert.ok(response)
  return response
}

test('a check says at once that it has begun, and what ends it later is a line', async () => {
  const work = defer<CheckSummary>()
  await using served = await serve(
    routesOf(async ({ report }) => {
      report({ kind: 'begun' })
      return await work.promise
    }),
  )
  const response = await ask(served.socketPath)
  assert.equal(response.statusCode, 200)
  work.reject(internal('the disk is gone'))
  const lines = await response.setEncoding('utf8').toArray()
  assert.equal(JSON.parse(lines.join('')).error, 'the disk is gone')
})

test('a check that does not begin has a status', async () => {
  await using served = await serve(routesOf(() => Promise.reject(conflict('a check is under way already'))))
  const { status, text } = await served.call('/x/check', { method: 'POST' })
  assert.deepEqual([status, text], [409, '{"message":"a check is under way already"}\n'])
})
