import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createClient } from './client.ts'

test('a call that is over has not opened the stream of stderr, but closes its connection', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mica-client-'))
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'))
    socket.on('end', () => server.emit('left', socket.end()))
  }).listen(join(folder, 's'))
  const stderr = Object.getOwnPropertyDescriptor(process, 'stderr')
  t.after(() => {
    if (stderr) Object.defineProperty(process, 'stderr', stderr)
    server.close()
    rmSync(folder, { recursive: true })
  })
  await once(server, 'listening')
  let opened = false
  const left = once(server, 'left')
  Object.defineProperty(process, 'stderr', {
    configurable: true,
    get: () => {
      opened = true
      return stderr?.get?.call(process)
    },
  })
  assert.deepEqual(await createClient({ host: join(folder, 's') }).get('/x'), {})
  assert.equal(opened, false)
  await left
})
