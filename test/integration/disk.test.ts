import { startDaemon } from '#test/daemon'
import { assertOnlyRecords, assertSums, pruneEverything, randomOperations } from '#test/disk'
import { dockerClient } from '#test/docker'
import { isSoak } from '#test/environment'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { startRegistry } from '#test/registry'
import { temporary } from '#test/temporary'
import { test } from 'node:test'

ownMountNamespace()

test(
  'random operations: system df says what du says, and after a prune of everything only the records are left',
  { timeout: isSoak() ? 10_800_000 : 900_000 },
  async (context) => {
    using folder = temporary()
    const leftovers = watchLeftovers(folder.path)
    {
      await using registry = await startRegistry(folder.path)
      await using daemon = await startDaemon({ folder: folder.path })
      using docker = dockerClient(daemon.host)
      await randomOperations(daemon, docker, {
        count: isSoak() ? 300 : 40,
        random: Math.random,
        registry: registry.host,
        context: folder.join('context'),
        onStep: (text) => context.diagnostic(text),
      })
      await assertSums(daemon, 'at the end')
      await pruneEverything(docker)
      await assertOnlyRecords(daemon)
      await assertSums(daemon, 'after a prune of everything')
    }
    await leftovers.assertNothingLeft()
  },
)
