import { startDaemon } from '#test/daemon'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { hashTree } from '#test/tree-hash'
import assert from 'node:assert/strict'
import { test } from 'node:test'

ownMountNamespace()

const COUNT = 50

test(
  'fifty containers of one image at once each read back what they wrote, and the image stays as it was',
  { timeout: 300_000 },
  async () => {
    using folder = temporary()
    const leftovers = watchLeftovers(folder.path)
    {
      await using daemon = await startDaemon({ folder: folder.path })
      using docker = dockerClient(daemon.host)
      await docker.ok('pull', '-q', 'busybox')
      const before = hashTree(folder.join('data', 'snapshots'), folder.join('data', 'content'))
      const runs = Array.from({ length: COUNT }, (_, index) =>
        docker.ok(
          'run',
          '--name',
          `fifty${index}`,
          'busybox',
          'sh',
          '-c',
          `echo ${index} >/same/path 2>/dev/null || { mkdir /same; echo ${index} >/same/path; }; sleep 0.2; cat /same/path`,
        ),
      )
      assert.deepEqual(
        await Promise.all(runs),
        Array.from({ length: COUNT }, (_, index) => String(index)),
      )
      const names = Array.from({ length: COUNT }, (_, index) => `fifty${index}`)
      await docker.ok('rm', ...names)
      assert.deepEqual(hashTree(folder.join('data', 'snapshots'), folder.join('data', 'content')), before)
    }
    await leftovers.assertNothingLeft()
  },
)
