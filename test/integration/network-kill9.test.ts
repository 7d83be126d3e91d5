import { ownMountNamespace } from '#test/mount-namespace'
import { killNetworksAtRandomMoments } from '#test/network-kill9'
import { test } from 'node:test'

ownMountNamespace()

test('kill -9 of the daemon while containers are connected, published and removed', { timeout: 600_000 }, () =>
  killNetworksAtRandomMoments(5, Math.random),
)
