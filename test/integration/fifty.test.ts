import { startDaemon } from '#test/daemon'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { hashTree } from '#test/tree-hash'
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
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
      const snapshots = readdirSync(folder.join('data', 'snapshots')).filter((name) => /^\d+$/.test(name))
      const stored = [folder.join('data/content/blobs'), ...snapshots.map((id) => folder.join('data/snapshots', id))]
      const before = hashTree(...stored)
      assert.ok(before.size > 100, 'the image is there')
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
      const after = hashTree(...stored)
      assert.deepEqual(
        [...before.keys()].filter((path) => after.get(path) !== before.get(path)),
        [],
      )
      assert.equal(after.size, before.size)
    }
    await leftovers.assertNothingLeft()
  },
)
