import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cancelled, defer } from '#base'
import { createFlights } from './flights.ts'

const { signal } = new AbortController()

test('run() shares what is in flight, and begins anew once it has landed', async () => {
  const flights = createFlights()
  const work = defer<string>()
  const first = flights.run({ key: 'a', task: () => work.promise }, signal)
  const second = flights.run({ key: 'a', task: () => assert.fail('is in flight') }, signal)
  work.resolve('x')
  assert.deepEqual(await Promise.all([first, second]), [
    { value: 'x', joined: false },
    { value: 'x', joined: true },
  ])
  const third = await flights.run({ key: 'a', task: async () => 'y' }, signal)
  assert.deepEqual(third, { value: 'y', joined: false })
})

test('run() finds work under its second key too, as soon as that is known', async () => {
  const flights = createFlights()
  const work = defer<string>()
  const name = defer<string>()
  const first = flights.run({ key: 'a', alias: () => name.promise, task: () => work.promise }, signal)
  name.resolve('b')
  await name.promise
  const second = flights.run({ key: 'b', task: () => assert.fail('is in flight') }, signal)
  work.resolve('x')
  await first
  assert.equal((await second).joined, true)
  assert.equal((await flights.run({ key: 'b', task: async () => 'y' }, signal)).joined, false)
})

test('run() takes over where the other one was cancelled, and fails where it failed', async () => {
  const flights = createFlights()
  const work = defer<string>()
  const first = flights.run({ key: 'a', task: () => work.promise }, signal)
  const second = flights.run({ key: 'a', task: async () => 'mine' }, signal)
  work.reject(cancelled('build'))
  await assert.rejects(first, { kind: 'cancelled' })
  assert.deepEqual(await second, { value: 'mine', joined: false })
  const failing = [1, 2].map(() => flights.run({ key: 'b', task: () => Promise.reject(new RangeError('no')) }, signal))
  for (const outcome of await Promise.allSettled(failing)) assert.equal(outcome.status, 'rejected')
})
