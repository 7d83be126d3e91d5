import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ownMountNamespace } from '#test/mount-namespace'
import { attach, endpoint, ip, links, network, rules, settled, withNetworks } from '#test/network-room'
import { temporary } from '#test/temporary'

ownMountNamespace({ network: true })

/** `MICA_SOAK=1`: as many as a block of 256 addresses nearly holds. */
const COUNT = process.env['MICA_SOAK'] === '1' ? 250 : 40
const ROUNDS = 3
/** How many come or go at once. */
const WIDTH = 10

const folder = temporary()
await ip('link set lo up')
after(() => folder[Symbol.dispose]())

/** In batches, as users do. */
async function each<T>(items: readonly string[], work: (item: string) => Promise<T>): Promise<readonly T[]> {
  const done: T[] = []
  for (let at = 0; at < items.length; at += WIDTH)
    done.push(...(await Promise.all(items.slice(at, at + WIDTH).map(work))))
  return done
}

const IDS = Array.from({ length: COUNT }, (_, index) => (index + 1).toString(16).padStart(64, '0'))

test(`${COUNT} containers on one /24 come and go ${ROUNDS} times: no address is lost or doubled`, async () => {
  await withNetworks({ root: folder.join('room') }, async (networks) => {
    await networks.create(network('n', { ipam: [{ subnet: '10.77.0.0/24' }] }))
    const { id, bridge } = await networks.get('n')
    const empty = [await links(), await rules()]
    for (let round = 0; round < ROUNDS; round += 1) {
      const sandboxes = await each(IDS, (container) => networks.attach(attach(container, endpoint('n'))))
      const given = sandboxes.map(({ endpoints }) => endpoints[0]!.address!)
      const wanted = Array.from({ length: COUNT }, (_, index) => `10.77.0.${index + 2}`)
      assert.deepEqual([...given].toSorted(byNumber), wanted)
      assert.equal((await networks.endpoints(id)).length, COUNT)
      // Those of the round before may still be on their way out.
      await until(async () => (await portsOf(bridge!)) === COUNT)
      await each(IDS.toReversed(), (container) => networks.detach(container))
      assert.deepEqual(await networks.endpoints(id), [])
      await settled(empty[0]!)
      assert.equal(await rules(), empty[1])
    }
  })
})

function byNumber(one: string, other: string): number {
  return Number(one.split('.')[3]) - Number(other.split('.')[3])
}

async function portsOf(bridge: string): Promise<number> {
  return (await ip(`-o link show master ${bridge}`)).split('\n').filter((line) => line !== '').length
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let patience = 250; !(await holds()) && patience > 0; patience -= 1)
    await new Promise((resolve) => setTimeout(resolve, 20))
  assert.ok(await holds())
}
