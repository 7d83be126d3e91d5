import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HostMounts } from '#kernel'
import type { VolumeRecord, Volumes } from '#volume'
import { inheritMounts, planMounts, type PlannedMount } from './mount-plan.ts'
import { type ImageId, parseImageId } from '#oci'
import { tmpfsMount } from './place.ts'
import type { MountRequest } from './types.ts'

const made: string[] = []

const host: HostMounts = {
  clone: async () => assert.fail('not at this time'),
  inspect: async (path) => (path.startsWith('/there') ? { kind: 'folder', mode: 0o755 } : undefined),
  makeFolder: async (path) => void made.push(path),
  unmount: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
}

const volumes: Pick<Volumes, 'create'> = {
  create: async ({ name = 'f'.repeat(64) }): Promise<VolumeRecord> => ({
    name,
    driver: 'local',
    createdAt: 0n,
    labels: {},
    options: {},
    anonymous: name.length === 64,
    mountpoint: `/volumes/${name}/_data`,
  }),
}

const imageOf = async (name: string): Promise<ImageId> => parseImageId(`sha256:${name.padEnd(64, '0')}`)

const plan = (
  requests: readonly MountRequest[],
  paths: readonly string[] = [],
  inherited: readonly PlannedMount[] = [],
) => planMounts(requests, paths, { volumes, host, imageOf, inherited, user: 'me' })

const bind = (source: string, target: string, more: Partial<MountRequest> = {}): MountRequest => ({
  kind: 'bind',
  source,
  target,
  readonly: false,
  ...more,
})

test('planMounts() makes an anonymous volume for each VOLUME that nothing covers', async () => {
  const planned = await plan([bind('/there', '/a/')], ['/a', '/b/', '/b'])
  assert.deepEqual(
    planned.map(({ kind, destination, anonymous }) => [kind, destination, anonymous]),
    [
      ['bind', '/a', false],
      ['volume', '/b', true],
    ],
  )
})

test('planMounts() makes no volume without a name where a later mount is refused', async () => {
  const names: (string | undefined)[] = []
  const create: Volumes['create'] = (request) => {
    names.push(request.name)
    return volumes.create(request)
  }
  const requests: readonly MountRequest[] = [
    { kind: 'volume', target: '/v', readonly: false },
    { kind: 'volume', source: 'named', target: '/n', readonly: false },
    bind('/nowhere', '/x'),
  ]
  await assert.rejects(
    planMounts(requests, ['/image'], { volumes: { create }, host, imageOf, inherited: [], user: 'me' }),
    { kind: 'invalid' },
  )
  assert.deepEqual(names, ['named'])
})

test('planMounts() makes the folder of -v on the host, and of nothing else', async () => {
  await plan([bind('/new/x', '/x', { createSource: true })])
  assert.deepEqual(made, ['/new/x'])
  await assert.rejects(plan([bind('/other', '/x')]), {
    kind: 'invalid',
    message: 'invalid mount config for type "bind": bind source path does not exist: /other',
  })
})

for (const [what, requests, message] of [
  ['a target twice', [bind('/there', '/x'), bind('/there', '/y/../x')], /^Duplicate mount point: \/x$/],
  ['the root as a target', [bind('/there', '/x/..')], /destination can't be '\/'/],
  ['a relative target', [bind('/there', 'x')], /mount path must be absolute/],
  ['a relative source', [bind('there', '/x')], /invalid mount path: 'there' mount path must be absolute/],
] as const)
  test(`planMounts() refuses ${what}`, () => assert.rejects(plan(requests), { kind: 'invalid', message }))

test('tmpfsMount() has the options of Docker, with those asked for over them', () => {
  const planned = {
    kind: 'tmpfs',
    destination: '/t',
    readonly: false,
    source: '',
    anonymous: false,
    seeded: false,
  } as const
  assert.deepEqual(tmpfsMount({ ...planned, options: '' }).options, ['nosuid', 'nodev', 'noexec'])
  assert.deepEqual(tmpfsMount({ ...planned, options: 'exec,size=1m' }).options, ['nosuid', 'nodev', 'exec', 'size=1m'])
})

test('inheritMounts() lets a later container stand over an earlier one, and shares no tmpfs', async () => {
  const one = await plan([bind('/there', '/a'), { kind: 'tmpfs', target: '/t', readonly: false }], ['/v'])
  const two = await plan([bind('/there/b', '/a', { readonly: true }), bind('/there', '/c')])
  const taken = inheritMounts(inheritMounts([], one, false), two, false)
  assert.deepEqual(
    taken.map(({ destination, source, readonly, inherited }) => [destination, source, readonly, inherited]),
    [
      ['/v', `/volumes/${'f'.repeat(64)}/_data`, false, true],
      ['/a', '/there/b', true, true],
      ['/c', '/there', false, true],
    ],
  )
  assert.ok(inheritMounts([], one, true).every(({ readonly }) => readonly))
})

test('planMounts() puts what is asked for over what is inherited, and makes no volume where something is', async () => {
  const inherited = inheritMounts([], await plan([bind('/there', '/a'), bind('/there', '/v')]), false)
  const planned = await plan([{ kind: 'volume', source: 'mine', target: '/a', readonly: false }], ['/v'], inherited)
  assert.deepEqual(
    planned.map(({ destination, kind }) => [destination, kind]),
    [
      ['/v', 'bind'],
      ['/a', 'volume'],
    ],
  )
})
