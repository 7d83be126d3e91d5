import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptCommands, acceptsFor, type Bridges, deleteCommands, obstacles } from './obstacle.ts'
import { isWhole, parseRuleset } from './ruleset.ts'
import { RULES_PER_CHAIN } from './table.ts'

const BRIDGES: Bridges = { all: new Set(['mica0', 'br-1']), six: new Set(['br-1']), table: 'mica' }

const chain = (table: string, name: string, more: object = {}, family = 'ip'): object => ({
  chain: { family, table, name, handle: 1, ...more },
})
const rule = (table: string, name: string, expr: readonly object[], handle = 7): object => ({
  rule: { family: 'ip', table, chain: name, handle, expr },
})
const accept = (direction: string, bridge = 'mica0'): readonly object[] => [
  { match: { op: '==', left: { meta: { key: direction } }, right: bridge } },
  { counter: { packets: 0, bytes: 0 } },
  { accept: null },
]

const FORWARD = { type: 'filter', hook: 'forward', prio: 0, policy: 'drop' }
const DOCKER = [
  { metainfo: { version: '1.0.6' } },
  { table: { family: 'ip', name: 'filter', handle: 1 } },
  chain('filter', 'FORWARD', FORWARD),
  chain('filter', 'DOCKER-USER'),
  rule('filter', 'FORWARD', [{ counter: {} }, { jump: { target: 'DOCKER-USER' } }]),
]
const read = (entries: readonly object[]) => parseRuleset({ nftables: entries })

test('obstacles() finds the chain of a running Docker and puts accepts for every bridge where it wants them', () => {
  const found = obstacles(read(DOCKER), BRIDGES)
  assert.deepEqual(
    found.map(({ base, place, missing }) => [base, place, missing.length]),
    [['FORWARD', 'DOCKER-USER', 4]],
  )
  assert.equal(acceptCommands(found).split('\n')[0], 'insert rule ip filter DOCKER-USER iifname "mica0" counter accept')
})

test('obstacles() counts accepts that stand there, and no similar ones', () => {
  const there = [
    ...(['mica0', 'br-1'] as const).map((bridge) => rule('filter', 'DOCKER-USER', accept('iifname', bridge))),
    rule('filter', 'DOCKER-USER', accept('oifname', 'br-1')),
    rule('filter', 'DOCKER-USER', accept('oifname', 'mica1')),
    rule('filter', 'FORWARD', accept('oifname')),
    rule('filter', 'DOCKER-USER', [...accept('oifname'), { match: { op: '==', left: {}, right: 'x' } }]),
  ]
  const [found] = obstacles(read([...DOCKER, ...there]), BRIDGES)
  assert.deepEqual(found?.missing, [{ direction: 'oifname', bridge: 'mica0' }])
})

test('obstacles() uses the base chain where nothing leads to DOCKER-USER; tables of ip6 matter to bridges with IPv6', () => {
  const entries = [
    chain('filter', 'FORWARD', FORWARD),
    chain('filter', 'DOCKER-USER'),
    chain('filter', 'FORWARD', FORWARD, 'ip6'),
  ]
  assert.deepEqual(
    obstacles(read(entries), BRIDGES).map(({ family, place, missing }) => [
      family,
      place,
      missing.map(({ bridge }) => bridge),
    ]),
    [
      ['ip', 'FORWARD', ['mica0', 'mica0', 'br-1', 'br-1']],
      ['ip6', 'FORWARD', ['br-1', 'br-1']],
    ],
  )
})

test('obstacles() passes by chains that accept, other hooks, other families and our own table', () => {
  const entries = [
    chain('filter', 'FORWARD', { ...FORWARD, policy: 'accept' }),
    chain('filter', 'INPUT', { ...FORWARD, hook: 'input' }),
    chain('filter', 'FORWARD', FORWARD, 'bridge'),
    chain('mica', 'forward', FORWARD, 'inet'),
  ]
  assert.deepEqual(obstacles(read(entries), BRIDGES), [])
})

test('acceptsFor() finds the accepts for given links in tables of others only, where forwarded packets pass', () => {
  const entries = [
    ...DOCKER,
    rule('filter', 'DOCKER-USER', accept('iifname'), 21),
    rule('filter', 'FORWARD', accept('oifname'), 22),
    rule('filter', 'DOCKER-USER', accept('iifname', 'docker0'), 24),
    chain('filter', 'INPUT', { ...FORWARD, hook: 'input' }),
    rule('filter', 'INPUT', accept('iifname'), 25),
  ]
  const found = acceptsFor(read(entries), (link) => link === 'mica0', 'mica')
  assert.equal(
    deleteCommands(found),
    'delete rule ip filter DOCKER-USER handle 21\ndelete rule ip filter FORWARD handle 22\n',
  )
})

const SETS = ['everywhere4', 'open4']
const ownTable = (facts: { readonly without?: string; readonly elements?: number } = {}): readonly object[] => [
  ...[...RULES_PER_CHAIN].flatMap(([name, count]) => [
    chain('mica', name, {}, 'inet'),
    ...Array.from({ length: name === facts.without ? count - 1 : count }, () => ({
      rule: { family: 'inet', table: 'mica', chain: name, handle: 1, expr: [] },
    })),
  ]),
  ...SETS.map((name) => ({
    set: { family: 'inet', table: 'mica', name, elem: Array.from({ length: facts.elements ?? 1 }, () => 'x') },
  })),
]
const ELEMENTS = SETS.map((set) => ({ set, key: 'x' }))

test('isWhole() misses a chain, a rule and an element', () => {
  assert.equal(isWhole(read(ownTable()), 'mica', ELEMENTS), true)
  assert.equal(isWhole(read(ownTable({ without: 'forward' })), 'mica', ELEMENTS), false)
  assert.equal(isWhole(read(ownTable({ elements: 0 })), 'mica', ELEMENTS), false)
  assert.equal(isWhole(read(ownTable({ elements: 2 })), 'mica', ELEMENTS), false)
  assert.equal(isWhole(read(ownTable()), 'mica', []), false)
  assert.equal(isWhole(read(DOCKER), 'mica', ELEMENTS), false)
  assert.equal(isWhole(parseRuleset({}), 'mica', []), false)
})
