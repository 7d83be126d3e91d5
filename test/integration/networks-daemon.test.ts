import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startDaemon } from '#test/daemon'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'

ownMountNamespace()

const REAL = process.env['MICA_SOAK'] === '1' ? 50 : 6
const ROUNDS = 3
/** How many come or go at once. */
const WIDTH = 10

/** In batches, as users do. */
async function each<T>(items: readonly string[], work: (item: string) => Promise<T>): Promise<readonly T[]> {
  const done: T[] = []
  for (let at = 0; at < items.length; at += WIDTH)
    done.push(...(await Promise.all(items.slice(at, at + WIDTH).map(work))))
  return done
}

test(
  `${REAL} containers that run come and go ${ROUNDS} times; each finds the next by name`,
  { timeout: 600_000 },
  async () => {
    using folder = temporary()
    const leftovers = watchLeftovers(folder.path)
    {
      await using daemon = await startDaemon({ folder: folder.path })
      using docker = dockerClient(daemon.host)
      await docker.ok('pull', '-q', 'busybox')
      await docker.ok('network', 'create', 'n')
      const names = Array.from({ length: REAL }, (_, index) => `many${index}`)
      for (let round = 0; round < ROUNDS; round += 1) {
        await each(names, (name) =>
          docker.ok('run', '-d', '--name', name, '--network', 'n', 'busybox', 'sleep', '1000'),
        )
        const format = '{{.NetworkSettings.Networks.n.IPAddress}}'
        const given = (await docker.ok('inspect', '--format', format, ...names)).split('\n')
        assert.equal(new Set(given).size, REAL)
        for (const [index, name] of names.entries()) {
          const next = names[(index + 1) % REAL]!
          assert.ok((await docker.ok('exec', name, 'ping', '-c', '1', next)).includes(`${next} (`))
        }
        await docker.ok('rm', '-f', ...names)
      }
      assert.equal(await docker.ok('network', 'inspect', '--format', '{{len .Containers}}', 'n'), '0')
      await docker.ok('network', 'rm', 'n')
    }
    await leftovers.assertNothingLeft()
  },
)
