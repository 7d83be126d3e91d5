import assert from 'node:assert/strict'
import { test } from 'node:test'
import { restWhenIdle } from './rest.ts'

test('an idle daemon rests soon after its start, and again only where it worked since', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let [work, rests] = [400, 0]
  restWhenIdle(
    () => work,
    () => (rests += 1),
  )
  t.mock.timers.tick(2000)
  assert.equal(rests, 1)
  t.mock.timers.tick(120_000)
  assert.equal(rests, 1)
  work += 2000
  t.mock.timers.tick(15_000)
  assert.equal(rests, 1, 'in these 15 s it was busy')
  t.mock.timers.tick(15_000)
  assert.equal(rests, 2)
})

test('a daemon that is called at once after its start rests later', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let [work, rests] = [400, 0]
  restWhenIdle(
    () => work,
    () => (rests += 1),
  )
  work += 100
  t.mock.timers.tick(2000)
  assert.equal(rests, 0)
  t.mock.timers.tick(15_000)
  assert.equal(rests, 1)
})
