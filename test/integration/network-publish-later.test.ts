import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startDaemon } from '#test/daemon'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'

ownMountNamespace()

test('ports are published with the first network that leads in, and given back with the last', async () => {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  {
    await using daemon = await startDaemon({ folder: folder.path })
    using docker = dockerClient(daemon.host)
    await docker.ok('pull', '-q', 'busybox')
    await docker.ok('network', 'create', '--internal', 'inner')
    await docker.ok('network', 'create', 'outer')
    const serve = 'echo served >/tmp/index.html; exec httpd -f -p 80 -h /tmp'
    await docker.ok('run', '-d', '--name', 'cut', '--network', 'inner', '-p', '80', 'busybox', 'sh', '-c', serve)
    const ports = async (): Promise<Readonly<Record<string, readonly { readonly HostPort: string }[]>>> =>
      JSON.parse(await docker.ok('inspect', '--format', '{{json .NetworkSettings.Ports}}', 'cut'))
    for (const _ of [1, 2]) {
      assert.deepEqual((await ports())['80/tcp'] ?? [], [])
      await docker.ok('network', 'connect', 'outer', 'cut')
      const port = (await ports())['80/tcp']?.[0]?.HostPort ?? ''
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/index.html`)).text(), 'served\n')
      await docker.ok('network', 'disconnect', 'outer', 'cut')
      await assert.rejects(fetch(`http://127.0.0.1:${port}/index.html`))
    }
    await docker.ok('rm', '-f', 'cut')
    await docker.ok('network', 'rm', 'inner', 'outer')
  }
  await leftovers.assertNothingLeft()
})
