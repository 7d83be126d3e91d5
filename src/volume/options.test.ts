import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bench, trash, trees, volumeFolders } from './bench.suite.ts'
import type { VolumeMounter } from './types.ts'

for (const [options, why] of [
  [{ foo: 'bar' }, 'invalid option: "foo"'],
  [{ type: 'tmpfs' }, 'missing required option: "device"'],
  [{ device: 'tmpfs' }, 'missing required option: "type"'],
  [{ o: 'size=1m' }, 'missing required option: "device"'],
  [{ size: '10m' }, 'quota size requested but no quota support'],
  [{ size: 'x' }, "invalid size: 'x'"],
  [{ type: 'cifs', device: '//host:445/x' }, "port not allowed in CIFS device URL, include 'port' in 'o='"],
] as const) {
  test(`create() refuses the options ${JSON.stringify(options)} in the words of Docker`, async () => {
    const volumes = await (await bench()).open()
    await assert.rejects(volumes.create({ name: 'data', options }), { kind: 'invalid', message: `create data: ${why}` })
  })
}

test('create() refuses a driver that there is not', async () => {
  const volumes = await (await bench()).open()
  await assert.rejects(volumes.create({ name: 'data', driver: 'nosuch' }), {
    kind: 'invalid',
    message: 'create data: error looking up volume plugin nosuch: plugin "nosuch" not found',
  })
})

/** Tells what is mounted where. */
function tellingMounter(): VolumeMounter & { readonly told: string[] } {
  const told: string[] = []
  const mounted = new Set<string>()
  return {
    told,
    mount: async ({ type, device, options }, target) => {
      mounted.add(target)
      told.push(`mount ${type} ${device} ${options}`)
    },
    unmount: async (target) => {
      if (mounted.delete(target)) told.push('unmount')
    },
    isMounted: (target) => mounted.has(target),
  }
}

const TMPFS = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' }

test('mount() mounts what options name for the first who asks, until the last lets go', async () => {
  const mounter = tellingMounter()
  const volumes = await (await bench()).open({ mounter })
  const { mountpoint } = await volumes.create({ name: 'data', options: TMPFS })
  await volumes.create({ name: 'plain' })
  assert.deepEqual([await volumes.mount('data', 'one'), await volumes.mount('data', 'two')], [mountpoint, mountpoint])
  await volumes.mount('plain', 'one')
  await volumes.unmount('one')
  assert.deepEqual(mounter.told, ['mount tmpfs tmpfs size=1m'])
  await volumes.unmount('two')
  await volumes.unmount('two')
  assert.deepEqual(mounter.told, ['mount tmpfs tmpfs size=1m', 'unmount'])
})

test('after a start what is mounted stays for those who run, and goes where nobody does', async () => {
  const mounter = tellingMounter()
  const at = await bench()
  const before = await at.open({ mounter })
  for (const name of ['used', 'left']) {
    await before.create({ name, options: TMPFS })
    await before.mount(name, 'one')
  }
  const volumes = await at.open({ mounter })
  await volumes.mount('used', 'one')
  await volumes.forgetUsers(() => true)
  assert.deepEqual(mounter.told.slice(2), ['unmount'])
  await volumes.unmount('one')
  assert.deepEqual(mounter.told.slice(2), ['unmount', 'unmount'])
})

test('a start takes away what a removed volume had mounted before it removes the folder', async () => {
  const at = await bench()
  const mounter = tellingMounter()
  const removed: string[] = []
  const volumes = await at.open({ mounter })
  const { mountpoint } = await volumes.create({ user: 'one', options: TMPFS })
  const name = (await volumes.list())[0]?.name ?? ''
  await volumes.mount(name, 'one')
  at.database.transaction(() => volumes.condemn('one', [name]))
  await at.open({
    mounter,
    trees: {
      ...trees,
      async remove(path) {
        removed.push(`${path} ${mounter.isMounted(mountpoint) ? 'mounted' : 'plain'}`)
        return await trees.remove(path)
      },
    },
  })
  assert.deepEqual(mounter.told.slice(1), ['unmount'])
  assert.match(removed[0] ?? '', /_trash\/[^/]+ plain$/)
})

test('condemn() takes the records of volumes that nobody else uses; a start carries out what a crash left', async () => {
  const at = await bench()
  const volumes = await at.open()
  const [mine, shared] = [await volumes.create({ user: 'one' }), await volumes.create({ user: 'one' })]
  volumes.use(shared.name, 'two')
  const removals = at.database.transaction(() => volumes.condemn('one', [mine.name, shared.name]))
  assert.equal(removals.length, 1)
  assert.deepEqual(
    (await volumes.list()).map(({ name }) => name),
    [shared.name],
  )
  await at.open()
  assert.deepEqual([volumeFolders(at), trash(at)], [[shared.name], []])
  await volumes.carryOut(volumes.condemn('two', [shared.name]))
  assert.deepEqual([volumeFolders(at), trash(at)], [[], []])
})
