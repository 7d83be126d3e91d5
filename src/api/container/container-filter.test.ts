import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notFound } from '#base'
import type { ContainerRecord, ContainerService } from '#engine'
import { parseFilters } from '#wire'
import { selectContainers } from './container-filter.ts'
import { containerRecord } from './record.suite.ts'

const endpoint = {
  id: 'e',
  network: 'bridge',
  networkId: 'netid',
  container: 'c',
  aliases: [],
  links: [],
  dnsNames: [],
  gwPriority: 0,
  driverOptions: {},
}

const ALL: readonly ContainerRecord[] = [
  containerRecord({ id: 'a1', name: 'one', state: 'exited', exitCode: 3, createdAt: 1n, labels: { app: 'x' } }),
  containerRecord({ id: 'a2', name: 'two', state: 'running', createdAt: 2n, endpoints: [endpoint] }),
  containerRecord({ id: 'b3', name: 'three', state: 'paused', createdAt: 3n, exposedPorts: ['80/tcp', '53/udp'] }),
  containerRecord(
    {
      id: 'b4',
      name: 'four',
      state: 'created',
      createdAt: 4n,
      mounts: [
        { kind: 'volume', name: 'data', source: '/s', destination: '/d', readonly: false, anonymous: false },
        { kind: 'tmpfs', source: '', destination: '/t', readonly: false, anonymous: false },
      ],
    },
    { HostConfig: { Tmpfs: { '/t': '' } } },
  ),
]

const containers: Pick<ContainerService, 'list' | 'get'> = {
  list: async () => ALL,
  async get(name) {
    const found = ALL.find((record) => record.name === name)
    if (!found) throw notFound('container', name)
    return found
  },
}

async function select(filters: object, options: { all?: boolean; limit?: number } = {}): Promise<string> {
  const records = await selectContainers(
    containers,
    { list: async () => [] },
    { all: true, limit: 0, ...options, filters: parseFilters(JSON.stringify(filters)) },
  )
  return records.map(({ name }) => name).join(' ')
}

const CASES: readonly (readonly [object, string])[] = [
  [{}, 'four three two one'],
  [{ id: ['a'] }, 'two one'],
  [{ id: [] }, 'four three two one'],
  [{ name: ['^t'] }, 'three two'],
  [{ name: ['/one'] }, 'one'],
  [{ label: ['app'] }, 'one'],
  [{ label: ['app=y'] }, ''],
  [{ 'label!': ['app'] }, 'four three two'],
  [{ status: ['paused', 'created'] }, 'four three'],
  [{ exited: ['3'] }, 'one'],
  [{ exited: ['0'] }, ''],
  [{ network: ['netid'] }, 'two'],
  [{ volume: ['data'] }, 'four'],
  [{ volume: ['/d'] }, 'four'],
  [{ expose: ['80'] }, 'three'],
  [{ expose: ['50-60/udp'] }, 'three'],
  [{ publish: ['80'] }, ''],
  [{ volume: ['/d'] }, 'four'],
  [{ volume: ['/t'] }, ''],
  [{ before: ['three'] }, 'two one'],
  [{ since: ['two'] }, 'four three'],
  [{ before: ['four'], since: ['one'], name: ['two'] }, 'two'],
  [{ ancestor: ['busybox'] }, ''],
  [{ health: ['none'] }, 'four three two one'],
  [{ health: ['healthy'] }, ''],
  [{ 'is-task': ['true'] }, ''],
]

for (const [filters, names] of CASES) {
  test(`selectContainers() finds «${names}» for ${JSON.stringify(filters)}`, async () => {
    assert.equal(await select(filters), names)
  })
}

test('selectContainers() shows what is up, unless all, a number or a state is asked for', async () => {
  assert.equal(await select({}, { all: false }), 'three two')
  assert.equal(await select({}, { all: false, limit: 1 }), 'four')
  assert.equal(await select({ status: ['exited'] }, { all: false }), 'one')
})

for (const [filters, message] of [
  [{ foo: ['x'] }, "invalid filter 'foo'"],
  [
    { status: ['x'] },
    "invalid filter 'status=x': invalid value for state (x): must be one of created, running, paused, restarting, removing, exited, dead",
  ],
  [{ exited: ['x'] }, `invalid filter 'exited=x': strconv.Atoi: parsing "x": invalid syntax`],
  [{ before: ['nope'] }, 'No such container: nope'],
] as const) {
  test(`selectContainers() refuses ${JSON.stringify(filters)}`, async () => {
    await assert.rejects(select(filters), { message })
  })
}

for (const [filters, message] of [
  [{ publish: ['x'] }, 'error while looking up for publish x: strconv.ParseUint: parsing "x": invalid syntax'],
  [
    { publish: ['70000'] },
    'error while looking up for publish 70000: strconv.ParseUint: parsing "70000": value out of range',
  ],
  [{ expose: ['5-1/udp'] }, 'error while looking up for expose 5-1/udp: Invalid range specified for the Port: 5-1'],
] as const)
  test(`selectContainers() refuses ${JSON.stringify(filters)}`, () => assert.rejects(select(filters), { message }))
