import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:http2'
import { test } from 'node:test'
import { refuseCalls } from './grpc-refusal.ts'
import { serve } from '#test/serving'

test('refuseCalls() answers the calls of an upgraded connection with its sentence', async () => {
  await using served = await serve([
    {
      method: 'POST',
      pattern: '/grpc',
      hijacks: true,
      handle: ({ hijack }) => refuseCalls(hijack('application/grpc'), 'not this way: 100 %'),
    },
  ])
  const asked = request({
    socketPath: served.socketPath,
    method: 'POST',
    path: '/grpc',
    headers: { Connection: 'Upgrade', Upgrade: 'h2c' },
  })
  asked.end()
  const [response, socket, head] = await once(asked, 'upgrade')
  socket.unshift(head)
  assert.equal(response.statusCode, 101)
  const session = connect('http://x', { createConnection: () => socket })
  for (const path of ['/moby.buildkit.v1.Control/Info', '/moby.buildkit.v1.Control/Solve']) {
    const call = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' })
    call.end(Buffer.alloc(5))
    const [headers] = await once(call, 'response')
    assert.equal(headers['grpc-status'], '9')
    assert.equal(decodeURIComponent(headers['grpc-message']), 'not this way: 100 %')
    call.resume()
    await once(call, 'end')
  }
  session.destroy()
})
