import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clashes, type Place, type PublishWish, wantedPlaces } from './wanted.ts'

const wish = (facts: Partial<PublishWish>): PublishWish => ({
  ports: [],
  publishAll: false,
  exposedPorts: [],
  ...facts,
})
const tcp = { containerPort: 80, protocol: 'tcp' } as const
const BOTH = [
  { address: '0.0.0.0', ifThere: false },
  { address: '::', ifThere: true },
]

test('wantedPlaces(): no address is all of them, or the one that is the default', () => {
  const ports = [{ ...tcp, hostPort: 8080 }]
  const range = { from: 8080, to: 8080 }
  assert.deepEqual(wantedPlaces(wish({ ports }), undefined), [{ ...tcp, hostIps: BOTH, range }])
  const loopback = [{ address: '127.0.0.1', ifThere: false }]
  assert.deepEqual(wantedPlaces(wish({ ports }), '127.0.0.1'), [{ ...tcp, hostIps: loopback, range }])
})

test('wantedPlaces(): an address that is asked for is the only one', () => {
  const hostIps = [{ address: '::1', ifThere: false }]
  const found = wantedPlaces(wish({ ports: [{ ...tcp, hostIp: '::1' }] }), '127.0.0.1')
  assert.deepEqual(found, [{ ...tcp, hostIps, range: undefined }])
})

test('wantedPlaces(): all that is exposed, but what is published already', () => {
  const exposedPorts = ['80/tcp', '90-91/udp', 'nonsense', '53']
  const found = wantedPlaces(wish({ ports: [{ ...tcp, hostPort: 1 }], publishAll: true, exposedPorts }), undefined)
  assert.deepEqual(
    found.map(({ containerPort, protocol, range }) => [containerPort, protocol, range?.from]),
    [
      [80, 'tcp', 1],
      [90, 'udp', undefined],
      [91, 'udp', undefined],
      [53, 'tcp', undefined],
    ],
  )
  assert.deepEqual(wantedPlaces(wish({ exposedPorts }), undefined), [])
})

const place = (hostIp: string, facts: Partial<Place> = {}): Place => ({
  protocol: 'tcp',
  hostPort: 80,
  hostIp,
  ...facts,
})
const CLASHES: readonly (readonly [Place, Place, boolean])[] = [
  [place('0.0.0.0'), place('127.0.0.1'), true],
  [place('127.0.0.1'), place('0.0.0.0'), true],
  [place('127.0.0.1'), place('127.0.0.1'), true],
  [place('127.0.0.1'), place('127.0.0.2'), false],
  [place('0.0.0.0'), place('::'), false],
  [place('::'), place('::1'), true],
  [place('0.0.0.0'), place('0.0.0.0', { protocol: 'udp' }), false],
  [place('0.0.0.0'), place('0.0.0.0', { hostPort: 81 }), false],
]

test('clashes(): one address takes itself, all of a family take each of it', () => {
  for (const [one, other, wanted] of CLASHES) assert.equal(clashes(one, other), wanted, JSON.stringify([one, other]))
})
