import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, encode, type Question } from '#test/resolver'
import { answerFrom, type View } from './answer.ts'
import { parseQuery } from './message.ts'
import { createNetworkNames } from './names.ts'

const NAMES = new Map([
  [
    'front-id',
    createNetworkNames([
      { name: 'Web', addresses: ['10.0.0.2', 'fd00::2'], container: 'w' },
      { name: 'aabbccddeeff', addresses: ['10.0.0.2', 'fd00::2'], container: 'w' },
      { name: 'pool', addresses: ['10.0.0.3'], container: 'a' },
      { name: 'pool', addresses: ['10.0.0.4'], container: 'b' },
      { name: 'a.dotted', addresses: ['10.0.0.5'], container: 'd' },
    ]),
  ],
  [
    'back-id',
    createNetworkNames([
      { name: 'web', addresses: ['10.1.0.2'], container: 'x' },
      { name: 'db', addresses: ['10.1.0.3'], container: 'y' },
    ]),
  ],
])

const VIEW: View = {
  networks: [
    { id: 'front-id', name: 'front', internal: false, links: [{ alias: 'The-Link', target: 'web' }] },
    { id: 'back-id', name: 'back', internal: true, links: [{ alias: 'byid', target: 'aabbccddeeff00112233' }] },
  ],
  options: ['ndots:0'],
  namesOf: (network) => NAMES.get(network),
}

function ask(question: Question, view = VIEW, limit?: number): string | { code: number; records: readonly string[] } {
  const parsed = parseQuery(encode(7, question))
  assert.equal(parsed.kind, 'query')
  const outcome = answerFrom(view, parsed.query, limit ?? parsed.query.size)
  if (outcome === 'ask') return 'ask'
  const { code, records } = decode(outcome.answer)
  return { code, records }
}

for (const [what, name, type, records] of [
  ['a name', 'web', 'A', ['10.0.0.2']],
  ['a name in other letters', 'wEB', 'A', ['10.0.0.2']],
  ['its IPv6 address', 'web', 'AAAA', ['fd000000000000000000000000000002']],
  ['nothing where a name has no such address', 'db', 'AAAA', []],
  ['nothing to other types of a name that exists', 'db', 'HTTPS', []],
  ['a short id', 'aabbccddeeff', 'A', ['10.0.0.2']],
  ['a name with dots', 'a.dotted', 'A', ['10.0.0.5']],
  ['a name with its network behind it', 'web.back', 'A', ['10.1.0.2']],
  ['a link', 'the-link', 'A', ['10.0.0.2']],
  ['a link with its network behind it', 'the-link.front', 'A', ['10.0.0.2']],
  ['the way back', '3.0.1.10.in-addr.arpa', 'PTR', ['db.back']],
  ['the way back of IPv6', `2.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`, 'PTR', ['Web.front']],
] as const)
  test(`answerFrom() gives ${what}`, () => assert.deepEqual(ask({ name, type }), { code: 0, records }))

for (const [what, name, type] of [
  ['an unknown name', 'nobody', 'A'],
  ['a name in a network that the sandbox is not in', 'web.other', 'A'],
  ['an address of nobody', '9.9.9.9.in-addr.arpa', 'PTR'],
  ['what is no address', '1.2.in-addr.arpa', 'PTR'],
  ['a link to a name of another network', 'byid', 'A'],
] as const)
  test(`answerFrom() asks others for ${what}`, () => assert.equal(ask({ name, type }), 'ask'))

test('answerFrom() begins with another address each time', () => {
  const first = new Set([1, 2, 3].map(() => JSON.stringify(ask({ name: 'pool', type: 'A' }))))
  assert.equal(first.size, 2)
})

test('answerFrom() keeps short names where the client has search domains for them', () => {
  const view = { ...VIEW, options: ['timeout:1', 'ndots:2'] }
  assert.deepEqual(ask({ name: 'nobody', type: 'A' }, view), { code: 0, records: [] })
  assert.equal(ask({ name: 'nobody.example', type: 'A' }, view), 'ask')
})
