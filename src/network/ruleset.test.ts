import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptCommands, hasTable, obstacles, ownAccepts, parseRuleset } from './ruleset.ts'

const BRIDGE = 'mica0'

function chain(table: string, name: string, more: object = {}, family = 'ip'): object {
  return { chain: { family, table, name, handle: 1, ...more } }
}

function rule(table: string, name: string, expr: readonly object[], handle = 7): object {
  return { rule: { family: 'ip', table, chain: name, handle, expr } }
}

function accept(direction: string, bridge = BRIDGE): readonly object[] {
  return [
    { match: { op: '==', left: { meta: { key: direction } }, right: bridge } },
    { counter: { packets: 0, bytes: 0 } },
    { accept: null },
  ]
}

const FORWARD = { type: 'filter', hook: 'forward', prio: 0, policy: 'drop' }
const DOCKER = [
  { metainfo: { version: '1.0.6' } },
  { table: { family: 'ip', name: 'filter', handle: 1 } },
  chain('filter', 'FORWARD', FORWARD),
  chain('filter', 'DOCKER-USER'),
  rule('filter', 'FORWARD', [{ counter: {} }, { jump: { target: 'DOCKER-USER' } }]),
  rule('filter', 'FORWARD', [{ counter: {} }, { jump: { target: 'DOCKER-FORWARD' } }]),
]

const read = (entries: readonly object[]) => parseRuleset({ nftables: entries })

test('obstacles() finds the chain of a running Docker and puts accepts where it wants them', () => {
  const found = obstacles(read(DOCKER), BRIDGE, 'mica')
  assert.deepEqual(found, [
    { family: 'ip', table: 'filter', base: 'FORWARD', place: 'DOCKER-USER', missing: ['iifname', 'oifname'] },
  ])
  assert.equal(
    acceptCommands(found, BRIDGE),
    'insert rule ip filter DOCKER-USER iifname "mica0" counter accept\ninsert rule ip filter DOCKER-USER oifname "mica0" counter accept\n',
  )
})

test('obstacles() counts accepts that stand there, and no similar ones', () => {
  const others = [
    rule('filter', 'DOCKER-USER', accept('oifname', 'mica1')),
    rule('filter', 'FORWARD', accept('oifname')),
    rule('filter', 'DOCKER-USER', [...accept('oifname'), { match: { op: '==', left: {}, right: 'x' } }]),
  ]
  const [found] = obstacles(
    read([...DOCKER, rule('filter', 'DOCKER-USER', accept('iifname')), ...others]),
    BRIDGE,
    'mica',
  )
  assert.deepEqual(found?.missing, ['oifname'])
})

test('obstacles() uses the base chain where nothing leads to DOCKER-USER', () => {
  const entries = [chain('filter', 'FORWARD', FORWARD), chain('filter', 'DOCKER-USER')]
  assert.equal(obstacles(read(entries), BRIDGE, 'mica')[0]?.place, 'FORWARD')
})

test('obstacles() passes by chains that accept, other hooks, other families and our own table', () => {
  const entries = [
    chain('filter', 'FORWARD', { ...FORWARD, policy: 'accept' }),
    chain('filter', 'INPUT', { ...FORWARD, hook: 'input' }),
    chain('filter', 'FORWARD', FORWARD, 'ip6'),
    chain('mica', 'forward', FORWARD),
  ]
  assert.deepEqual(obstacles(read(entries), BRIDGE, 'mica'), [])
})

test('ownAccepts() finds our rules in tables of others only', () => {
  const entries = [
    ...DOCKER,
    rule('filter', 'DOCKER-USER', accept('iifname'), 21),
    rule('filter', 'FORWARD', accept('oifname'), 22),
    rule('mica', 'forward', accept('oifname'), 23),
    rule('filter', 'DOCKER-USER', accept('iifname', 'docker0'), 24),
  ]
  assert.deepEqual(
    ownAccepts(read(entries), BRIDGE, 'mica').map(({ handle }) => handle),
    [21, 22],
  )
})

test('hasTable() looks for chains of the table', () => {
  assert.equal(hasTable(read([chain('mica', 'forward')]), 'mica'), true)
  assert.equal(hasTable(read(DOCKER), 'mica'), false)
  assert.equal(hasTable(parseRuleset({}), 'mica'), false)
})
