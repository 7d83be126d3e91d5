// A stand-in for the daemon, which the CLI is tried against when its start image is made.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const container = {
  Id: 'c'.repeat(64),
  Names: ['/name'],
  Image: 'image',
  ImageID: `sha256:${'d'.repeat(64)}`,
  Command: 'true',
  Created: 1,
  Ports: [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 80, Type: 'tcp' }],
  Labels: {},
  State: 'running',
  Status: 'Up 1 second',
  Mounts: [],
  NetworkSettings: { Networks: { bridge: {} } },
}
const image = {
  Id: `sha256:${'d'.repeat(64)}`,
  RepoTags: ['image:latest'],
  RepoDigests: [],
  Created: 1,
  Size: 1,
  Labels: {},
}
const version = { Platform: { Name: '' }, Components: [], Version: '', ApiVersion: '', Os: '', Arch: '' }

/** What a daemon might say: only the shapes matter. */
function answerTo(path) {
  if (path.startsWith('/containers/json')) return [container]
  if (path.startsWith('/images/json')) return [image]
  if (path.startsWith('/version')) return version
  return { Id: container.Id, Warnings: [] }
}

/** Calls `use` with the path of its socket; resolves to what that does. */
export async function withStandIn(use) {
  const folder = mkdtempSync(join(tmpdir(), 'mica-'))
  const path = join(folder, 'socket')
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (bytes) => {
      const [, target = ''] = String(bytes).split(' ')
      const body = JSON.stringify(answerTo(target))
      socket.end(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      )
    })
  })
  try {
    await new Promise((resolve, reject) => server.once('error', reject).listen(path, resolve))
    return await use(path)
  } finally {
    server.close()
    rmSync(folder, { recursive: true })
  }
}
