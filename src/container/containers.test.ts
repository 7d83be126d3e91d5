import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conflict, internal, notFound } from '#base'
import { unlessElsewhere } from './containers.ts'

test('unlessElsewhere() passes by what somebody else removed or started meanwhile, and nothing else', async () => {
  const failing = (error: Error) => unlessElsewhere(() => Promise.reject(error))
  assert.equal(await unlessElsewhere(async () => 7), 7)
  assert.equal(await failing(notFound('container', 'c')), undefined)
  assert.equal(await failing(conflict('it runs')), undefined)
  await assert.rejects(failing(internal('the disk is gone')), { kind: 'internal' })
})
