import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatAuthority, type Host, parseHost } from './host.ts'

const GOOD: readonly (readonly [string, Host])[] = [
  ['unix:///run/mica/mica.sock', { kind: 'unix', path: '/run/mica/mica.sock' }],
  ['/run/x', { kind: 'unix', path: '/run/x' }],
  ['tcp://127.0.0.1:2375', { kind: 'tcp', name: '127.0.0.1', port: 2375 }],
  ['tcp://localhost', { kind: 'tcp', name: 'localhost', port: 2375 }],
  ['tcp://[::1]:80', { kind: 'tcp', name: '::1', port: 80 }],
]

for (const [text, host] of GOOD) {
  test(`parseHost() reads ${text}`, () => assert.deepEqual(parseHost(text), host))
}

for (const text of [
  '',
  'unix://relative',
  'ssh://host',
  'tcp://',
  'tcp://a:b',
  'npipe:////./pipe/x',
  'tcp://h:1/path/x',
]) {
  test(`parseHost() refuses «${text}»`, () => assert.throws(() => parseHost(text), { kind: 'invalid' }))
}

test('formatAuthority() puts IPv6 addresses in brackets', () => {
  assert.equal(formatAuthority({ kind: 'tcp', name: '127.0.0.1', port: 2375 }), '127.0.0.1:2375')
  assert.equal(formatAuthority({ kind: 'tcp', name: '::1', port: 1 }), '[::1]:1')
})
