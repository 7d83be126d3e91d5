import { killAtRandomMoments } from '#test/kill9'
import { ownMountNamespace } from '#test/mount-namespace'
import { test } from 'node:test'

ownMountNamespace()

test(
  'kill -9 of the daemon at ten random moments loses nothing and leaves nothing',
  { timeout: 600_000 },
  async (context) => {
    const starts = await killAtRandomMoments(10, Math.random)
    context.diagnostic(`a new daemon accepted calls after ${Math.round(Math.max(...starts))} ms at most`)
  },
)
