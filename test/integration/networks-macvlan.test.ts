import { createNetworkNamespace, removeNetworkNamespace, runProcess } from '#kernel'
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ownMountNamespace } from '#test/mount-namespace'
import {
  attach,
  endpoint,
  inside,
  ip,
  links,
  network,
  whoAsks,
  withNetworks,
  type SceneOptions,
  type Work,
} from '#test/network-room'
import { temporary } from '#test/temporary'

// The whole test has a network of its own: the «host» of this file is a namespace without a way out.
ownMountNamespace({ network: true })

const ONE = '1'.repeat(64)
const TWO = '2'.repeat(64)

const folder = temporary()
const probe = folder.join('probe')
createNetworkNamespace(probe)
await ip('link set lo up')
const noMacvlan = await lacks('macvlan', 'mode bridge')
const noIpvlan = await lacks('ipvlan', 'mode l2')
const noVlan = await lacks('vlan', 'id 10')
removeNetworkNamespace(probe)

after(() => folder[Symbol.dispose]())

let scenes = 0
function scene(work: Work, options: Omit<SceneOptions, 'root'> = {}): Promise<void> {
  scenes += 1
  return withNetworks({ ...options, root: folder.join(`scene${scenes}`) }, work)
}

/** Why links of a kind cannot be tested here; false where they can. */
async function lacks(kind: string, args: string): Promise<string | false> {
  const made = await inside(probe, () => runProcess('ip', ['link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1']))
  const add = ['link', 'add', 'link', 'v0', 'name', 'x0', 'type', kind, ...args.split(' ')]
  const { status } = await inside(probe, () => runProcess('ip', add))
  await inside(probe, () => runProcess('ip', ['link', 'del', 'v0']))
  assert.equal(made.status.code, 0)
  return status.code === 0 ? false : `this kernel has no ${kind}`
}

test(
  'macvlan: containers are on the parent’s network, or among themselves without one',
  { skip: noMacvlan },
  async () => {
    await ip('link add lan0 type veth peer name lan1')
    await ip('link set lan0 up')
    await ip('link set lan1 up')
    await ip('addr add 10.81.0.200/24 dev lan1')
    try {
      await scene(async (networks) => {
        await networks.create(
          network('lan', { driver: 'macvlan', ipam: [{ subnet: '10.81.0.0/24' }], options: { parent: 'lan0' } }),
        )
        const [one, two] = [
          await networks.attach(attach(ONE, endpoint('lan'))),
          await networks.attach(attach(TWO, endpoint('lan'))),
        ]
        assert.equal(await whoAsks(two.path, '10.81.0.3', one.path), '10.81.0.2')
        assert.equal(await whoAsks(undefined, '10.81.0.200', one.path), '10.81.0.2')
        assert.match(await inside(one.path!, () => ip('route')), /^default via 10\.81\.0\.1 dev eth0/m)
        await networks.create(network('alone', { driver: 'macvlan', internal: true }))
        for (const container of [ONE, TWO]) {
          await networks.detach(container)
          await networks.attach(attach(container, endpoint('alone')))
        }
        const [first, second] = [await networks.find(ONE), await networks.find(TWO)]
        assert.equal(
          await whoAsks(second!.path, second!.endpoints[0]!.address!, first!.path),
          first!.endpoints[0]!.address,
        )
        // The same address at once again, though the kernel removes namespaces late.
        for (let round = 0; round < 5; round += 1) {
          await networks.detach(ONE)
          const again = await networks.attach(attach(ONE, endpoint('alone')))
          assert.equal(again.endpoints[0]!.address, first!.endpoints[0]!.address)
        }
      })
      assert.ok((await links()).includes('lan0'))
    } finally {
      await ip('link del lan0')
    }
  },
)

test('ipvlan: containers share the parent’s MAC', { skip: noIpvlan }, async () => {
  await ip('link add lan0 type veth peer name lan1')
  for (const name of ['lan0', 'lan1']) await ip(`link set ${name} up`)
  try {
    await scene(async (networks) => {
      const options = { parent: 'lan0', ipvlan_mode: 'l3' }
      await networks.create(network('lan', { driver: 'ipvlan', ipam: [{ subnet: '10.81.0.0/24' }], options }))
      const [one, two] = [
        await networks.attach(attach(ONE, endpoint('lan'))),
        await networks.attach(attach(TWO, endpoint('lan'))),
      ]
      assert.equal(await whoAsks(two.path, '10.81.0.3', one.path), '10.81.0.2')
      assert.match(await inside(one.path!, () => ip('route')), /^default dev eth0/m)
    })
  } finally {
    await ip('link del lan0')
  }
})

test('a VLAN of the parent is made and goes with its network', { skip: noVlan || noMacvlan }, async () => {
  await ip('link add lan0 type veth peer name lan1')
  await ip('link set lan0 up')
  try {
    await scene(async (networks) => {
      await networks.create(network('lan', { driver: 'macvlan', options: { parent: 'lan0.10' } }))
      assert.ok((await links()).includes('lan0.10'))
      await networks.attach(attach(ONE, endpoint('lan')))
      await networks.detach(ONE)
      await networks.remove('lan')
      assert.ok(!(await links()).includes('lan0.10'))
    })
  } finally {
    await ip('link del lan0')
  }
})

test('a kernel without VLANs is told of', { skip: noVlan === false }, async () => {
  await ip('link add lan0 type veth peer name lan1')
  try {
    await scene(async (networks) => {
      await assert.rejects(networks.create(network('lan', { driver: 'macvlan', options: { parent: 'lan0.10' } })), {
        kind: 'unsupported',
        message: 'cannot make the link lan0.10: this kernel has no VLANs',
      })
      assert.equal((await networks.list()).length, 3)
    })
  } finally {
    await ip('link del lan0')
  }
})
