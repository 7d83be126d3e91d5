import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { listenForUs } from './serve.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-switchboard-'))
after(() => rmSync(folder, { recursive: true }))

test('listenForUs() makes a socket for its owner alone, whatever the mask', async () => {
  const path = join(folder, 'board.sock')
  const server = createServer()
  const mask = process.umask(0)
  try {
    await new Promise<void>((resolve) => listenForUs(server, path, resolve))
    assert.equal(process.umask(), 0)
  } finally {
    process.umask(mask)
  }
  assert.equal(statSync(path).mode & 0o777, 0o600)
  server.close()
})
