import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createHostServers, parseServers } from './host-servers.ts'

test('parseServers() takes addresses only', () =>
  assert.deepEqual(
    parseServers('# nameserver 9.9.9.9\nnameserver 10.0.0.1\n nameserver fd00::1 \nnameserver x\nsearch y\n'),
    ['10.0.0.1', 'fd00::1'],
  ))

test('createHostServers() follows the file, and looks at most once in a while', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'servers-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'resolv.conf')
  let time = 0
  const servers = createHostServers(path, () => time)
  assert.deepEqual(servers.list(), [])
  writeFileSync(path, 'nameserver 10.0.0.1\n')
  assert.deepEqual(servers.list(), [])
  time += 2000
  assert.deepEqual(servers.list(), ['10.0.0.1'])
  writeFileSync(path, 'nameserver 10.0.0.22\n')
  time += 2000
  assert.deepEqual(servers.list(), ['10.0.0.22'])
})
