import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createForewarning, placeOf } from './forewarning.ts'

const HYBRID = '9:name=systemd:/a\n4:memory:/b\n2:cpu,cpuacct:/c\n0::/u\n'

for (const { name, there, found } of [
  { name: 'the unified tree', there: '/sys/fs/cgroup/u/cgroup.procs', found: true },
  { name: 'the unified tree beside others', there: '/sys/fs/cgroup/unified/u/cgroup.procs', found: true },
  { name: 'a tree of its own', there: '/sys/fs/cgroup/systemd/a/cgroup.procs', found: true },
  { name: 'the group of somebody else', there: '/sys/fs/cgroup/systemd/b/cgroup.procs', found: false },
])
  test(`placeOf() ${found ? 'finds' : 'does not find'} ${name}`, () => {
    assert.equal(
      placeOf(HYBRID, (path) => path === there),
      found ? there : undefined,
    )
  })

test('a forewarning is written once at a time, and where there is no place nothing happens', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mica-groups-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'cgroup.procs')
  writeFileSync(file, '')
  const forewarning = createForewarning(file)
  forewarning.give()
  forewarning.give()
  while (readFileSync(file, 'utf8') !== '0') await new Promise((resolve) => setImmediate(resolve))
  createForewarning(join(folder, 'none')).give()
  createForewarning(undefined).give()
})
