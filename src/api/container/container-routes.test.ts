import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ContainerRecord, Engine } from '#engine'
import { serve } from '#test/serving'
import { containerRoutes } from './container-routes.ts'
import { containerRecord } from './record.suite.ts'

/** Routes of an engine with this one container, and these further processes in it. */
function routesOf(now: () => { readonly record: ContainerRecord; readonly execs?: readonly string[] }) {
  const containers: Partial<Engine['containers']> = {
    get: () => Promise.resolve(now().record),
    execIds: () => now().execs ?? [],
  }
  const system = { runtime: { name: 'crun' }, cgroups: 'v2' }
  return containerRoutes({ containers, system, images: {} } as unknown as Engine)
}

test('inspect says what is so now, however often it was asked before', async () => {
  let record = containerRecord()
  let execs: readonly string[] = []
  await using served = await serve(routesOf(() => ({ record, execs })))
  const ask = async (path = '/v1.51/containers/web/json') => JSON.parse((await served.call(path)).text)
  assert.deepEqual(await ask(), await ask())
  execs = ['1234']
  assert.deepEqual((await ask()).ExecIDs, ['1234'])
  execs = []
  assert.equal((await ask()).ExecIDs, null)
  record = containerRecord({ state: 'running', pid: 7, endpoints: [] })
  assert.deepEqual([(await ask()).State.Status, (await ask()).State.Pid], ['running', 7])
  record = { ...record, name: 'other' }
  assert.equal((await ask()).Name, '/other')
  const [old, young] = [await ask('/v1.43/containers/web/json'), await ask()]
  assert.notDeepEqual(old.NetworkSettings, undefined)
  assert.deepEqual(await ask('/v1.43/containers/web/json'), old)
  assert.deepEqual(await ask(), young)
})

test('inspect of a container that has not changed is not made again', async () => {
  const record = containerRecord()
  let made = 0
  const counted = new Proxy(record, {
    get(target, name, receiver) {
      if (name === 'restartCount') made += 1
      return Reflect.get(target, name, receiver)
    },
  })
  await using served = await serve(routesOf(() => ({ record: counted })))
  await served.call('/containers/web/json')
  await served.call('/containers/web/json')
  assert.equal(made, 1)
})
