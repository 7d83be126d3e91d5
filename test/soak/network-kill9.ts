import { ownMountNamespace } from '#test/mount-namespace'
import { killNetworksAtRandomMoments } from '#test/network-kill9'
import { test } from 'node:test'

ownMountNamespace()

test('kill -9 of the daemon at two hundred random moments of networks', { timeout: 3 * 3_600_000 }, () =>
  killNetworksAtRandomMoments(200, Math.random),
)
