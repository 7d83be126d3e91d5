import { silentLog } from '#base'
import { createSwitchboard, type Switchboard } from '#switchboard'
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ownMountNamespace } from '#test/mount-namespace'
import { attach, endpoint, inside, ip, network, withNetworks } from '#test/network-room'
import { createResolverClient } from '#test/resolver'
import { temporary } from '#test/temporary'

// The «host» of this file is a network namespace without a way out.
ownMountNamespace({ network: true })

const [ONE, TWO] = ['1'.repeat(64), '2'.repeat(64)]
const ENTRY = new URL('../../src/bin/switchboard.ts', import.meta.url)

const folder = temporary()
await ip('link set lo up')

after(() => folder[Symbol.dispose]())

test('a connect that a kill cut off leaves all other containers their names', async () => {
  const root = folder.join('halves')
  await using boards = new AsyncDisposableStack()
  const board = (): Switchboard =>
    boards.use(createSwitchboard({ execRoot: `${root}/run`, entry: ENTRY, log: silentLog() }))
  await withNetworks({ root, flags: { switchboard: board() } }, async (networks, reopen) => {
    for (const name of ['home', 'away']) await networks.create(network(name))
    const one = await networks.attach(attach(ONE, endpoint('home'), endpoint('away')))
    const two = await networks.attach(attach(TWO, endpoint('home')))
    const { address } = one.endpoints.find((found) => found.network === 'home') ?? {}
    const lost = one.endpoints.find((found) => found.network === 'away')?.interface
    await inside(one.path ?? '', () => ip(`link del ${lost ?? ''}`))
    const next = await reopen({ switchboard: board() })
    await next.restore(new Set([ONE, TWO]))
    assert.deepEqual(
      (await next.find(ONE))?.endpoints.map((left) => left.network),
      ['home'],
    )
    for (const path of [one.path, two.path]) {
      using client = createResolverClient(path ?? '')
      assert.deepEqual((await client.ask({ name: 'c1', type: 'A' })).records, [address])
    }
  })
})
