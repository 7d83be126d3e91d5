import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mountTable, parseMountTable } from '#kernel/mount'
import { bootId, cgroupMode, parseCapabilities } from './host-fact.ts'

const TABLE = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:7 master:2 - cgroup2 cgroup2 rw
32 31 0:29 /sub /with\\040blank\\134 ro - cgroup cgroup rw,cpu
half a line
`

test('parseMountTable() reads fields, optional ones and escapes', () => {
  const [, second, third, ...rest] = parseMountTable(TABLE)
  assert.deepEqual(rest, [])
  assert.deepEqual(second, {
    id: 41,
    parent: 31,
    device: '0:38',
    root: '/',
    target: '/sys/fs/cgroup/unified',
    options: ['rw', 'relatime'],
    propagation: ['shared:7', 'master:2'],
    type: 'cgroup2',
    source: 'cgroup2',
    superOptions: ['rw'],
  })
  assert.equal(third?.target, '/with blank\\')
  assert.equal(third?.root, '/sub')
})

test('mountTable() has the root', () => {
  assert.ok(mountTable().some((entry) => entry.target === '/'))
})

test('cgroupMode() tells the four layouts apart', () => {
  const lines = parseMountTable(TABLE)
  assert.equal(cgroupMode(lines), 'hybrid')
  assert.equal(cgroupMode(lines.filter((entry) => entry.type !== 'cgroup2')), 'v1')
  assert.equal(cgroupMode(lines.filter((entry) => entry.type !== 'cgroup')), 'v2')
  assert.equal(cgroupMode([]), 'none')
})

test('parseCapabilities() names the bits', () => {
  assert.deepEqual([...parseCapabilities(0n)], [])
  assert.deepEqual([...parseCapabilities(0b1000000000000000000001n)], ['CAP_CHOWN', 'CAP_SYS_ADMIN'])
  assert.ok(parseCapabilities((1n << 41n) - 1n).has('CAP_CHECKPOINT_RESTORE'))
})

test('bootId() is a uuid', () => {
  assert.match(bootId(), /^[0-9a-f-]{36}$/)
})
