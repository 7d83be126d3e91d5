import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind } from '#base'
import { linkNames, parseLink } from './text.ts'
import { linkVariables } from './variables.ts'

for (const [text, container, alias] of [
  ['db:mysql', 'db', 'mysql'],
  ['db', 'db', 'db'],
  ['/db', '/db', 'db'],
  ['/db:/web/mysql', '/db', 'mysql'],
  ['db:a/b', 'db', 'a/b'],
] as const)
  test(`parseLink() of ${text}`, () => assert.deepEqual(parseLink(text), { container, alias }))

for (const [text, words] of [
  ['', 'empty string specified for links'],
  ['a:b:c', 'bad format for links: a:b:c'],
] as const)
  test(`parseLink() refuses «${text}»`, () =>
    assert.throws(
      () => parseLink(text),
      (error) => error instanceof Error && isKind(error, 'internal') && error.message === words,
    ))

test('linkNames() has the name of the container once', () => {
  assert.deepEqual(linkNames({ alias: 'x/my', hostname: 'h', name: 'db' }), ['my', 'h', 'db'])
  assert.deepEqual(linkNames({ alias: 'db', hostname: 'h', name: 'db' }), ['db', 'h'])
})

const LINKED = { owner: 'web', alias: 'my-db', address: '10.0.0.2', exposedPorts: [], env: [] }

test('linkVariables() of a container without ports has its name, and no PATH and HOME of it', () => {
  const env = ['A=1', 'PATH=/bin', 'HOME=/root', 'bare', 'e=', 'x=a=b']
  assert.deepEqual(linkVariables({ ...LINKED, env }), [
    'MY_DB_NAME=/web/my-db',
    'MY_DB_ENV_A=1',
    'MY_DB_ENV_e=',
    'MY_DB_ENV_x=a=b',
  ])
})

test('linkVariables() says of a run of ports where it begins and ends, behind the next port', () => {
  const names = linkVariables({ ...LINKED, alias: 'p', exposedPorts: ['81/udp', '80/tcp', '90-91/tcp', '99/tcp'] })
    .map((entry) => entry.replace(/=.*/, ''))
    .filter((name) => !/_(?:ADDR|PROTO|\d+_TCP_PORT|\d+_UDP_PORT)$/.test(name))
  assert.deepEqual(names, [
    'P_PORT',
    'P_PORT_80_TCP',
    'P_PORT_90_TCP',
    'P_PORT_91_TCP',
    'P_PORT_99_TCP',
    'P_PORT_90_TCP_START',
    'P_PORT_90_TCP_PORT_START',
    'P_PORT_90_TCP_END',
    'P_PORT_90_TCP_PORT_END',
    'P_PORT_81_UDP',
    'P_NAME',
  ])
})
