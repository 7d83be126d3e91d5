import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOf, insecureRule, parseMirror } from './address.ts'

const rule = insecureRule(['registry.local:5000', 'plain.example', '10.0.0.0/8', 'fd00::/8'])

const HOSTS = [
  ['127.0.0.1:5000', true],
  ['127.9.9.9', true],
  ['localhost', true],
  ['localhost:5000', true],
  ['[::1]:5000', true],
  ['registry.local:5000', true],
  ['registry.local', false],
  ['plain.example:443', true],
  ['10.1.2.3:5000', true],
  ['11.1.2.3', false],
  ['[fd00::7]', true],
  ['[2001:db8::1]:5000', false],
  ['registry-1.docker.io', false],
  ['127.0.0.1.example.com', false],
] as const

for (const [host, insecure] of HOSTS) {
  test(`${host} may ${insecure ? '' : 'not '}do without TLS`, () => {
    assert.equal(rule(host), insecure)
    assert.equal(addressOf(host, rule).insecure, insecure)
  })
}

for (const entry of ['10.0.0.0/33', 'a b', 'x/y/z', 'user@host', 'host/8']) {
  test(`insecureRule() refuses ${entry}`, () => {
    assert.throws(() => insecureRule([entry]), { kind: 'invalid' })
  })
}

test('docker.io is reached at its registry', () => {
  assert.equal(addressOf('docker.io', rule).host, 'registry-1.docker.io')
})

test('parseMirror() reads a URL with its path', () => {
  assert.deepEqual(parseMirror('http://127.0.0.1:5000', rule), {
    text: 'http://127.0.0.1:5000',
    host: '127.0.0.1:5000',
    scheme: 'http',
    prefix: '',
    insecure: true,
  })
  const { prefix, insecure, scheme } = parseMirror('https://mirror.example/docker/', rule)
  assert.deepEqual([prefix, insecure, scheme], ['/docker', false, 'https'])
})

for (const text of ['', 'mirror', 'ftp://x', 'http://a:b@x', 'http://x?y=1', 'http://x#y']) {
  test(`parseMirror() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseMirror(text, rule), { kind: 'invalid', message: /^invalid mirror: / })
  })
}
