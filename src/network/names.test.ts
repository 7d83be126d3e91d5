import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bridgeNames } from './names.ts'
import { containerResolvConf } from './resolv-conf.ts'

test('bridgeNames() gives plain names to the default root and short ones of their own to others', () => {
  assert.deepEqual(bridgeNames('/run/mica'), { bridge: 'mica0', table: 'mica' })
  assert.deepEqual(bridgeNames('/run/mica/'), { bridge: 'mica0', table: 'mica' })
  const [one, other] = [bridgeNames('/tmp/a'), bridgeNames('/tmp/b')]
  assert.notEqual(one.bridge, other.bridge)
  assert.match(one.bridge, /^mica-[0-9a-f]{8}$/)
  assert.match(one.table, /^mica_[0-9a-f]{8}$/)
})

test('containerResolvConf() keeps what a container can use', () => {
  const cases = [
    ['nameserver 10.0.0.1\nsearch a.b\noptions ndots:2\n', 'nameserver 10.0.0.1\nsearch a.b\noptions ndots:2\n'],
    ['nameserver 127.0.0.1\nnameserver 10.0.0.1\n', 'nameserver 10.0.0.1\n'],
    ['nameserver fe80::1\nnameserver ::1\n', 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n'],
    ['# said by hand\n\nsearch a\n', '# said by hand\nsearch a\nnameserver 8.8.8.8\nnameserver 8.8.4.4\n'],
    ['', 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n'],
  ] as const
  for (const [host, container] of cases) assert.equal(containerResolvConf(host), container)
})
