import { startDaemon } from '#test/daemon'
import { assertOnlyRecords, assertSums, pruneEverything, randomOperations } from '#test/disk'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { startRegistry } from '#test/registry'
import { temporary } from '#test/temporary'
import { test } from 'node:test'

ownMountNamespace()

test('three hundred random operations: system df says what du says', { timeout: 3 * 3_600_000 }, async (context) => {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  {
    await using registry = await startRegistry(folder.path)
    await using daemon = await startDaemon({ folder: folder.path })
    using docker = dockerClient(daemon.host)
    await randomOperations(daemon, docker, {
      count: 300,
      random: Math.random,
      registry: registry.host,
      context: folder.join('context'),
      onStep: (text) => context.diagnostic(text),
    })
    const { Total } = await assertSums(daemon, 'at the end')
    await pruneEverything(docker)
    await assertOnlyRecords(daemon)
    const after = await assertSums(daemon, 'after a prune of everything')
    context.diagnostic(`${Total} bytes before the prune of everything, ${after.Total} after it`)
  }
  await leftovers.assertNothingLeft()
})
