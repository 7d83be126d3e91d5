import { startDaemon } from '#test/daemon'
import { assertOnlyRecords, assertSums, pruneEverything } from '#test/disk'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { startRegistry } from '#test/registry'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { test } from 'node:test'

ownMountNamespace()

const ROUNDS = 6

interface Scene {
  readonly docker: Docker
  readonly image: string
  readonly context: string
}

/** What each of these makes is its own: it must be whole whatever goes on beside it. */
const builds = async ({ docker, context }: Scene, round: number): Promise<void> => {
  const dockerfile = `FROM busybox\nRUN echo ${round} >/round && head -c 100000 /dev/urandom >/r\nRUN cat /round >/copy\n`
  const { code, stderr } = await docker.run(['build', '-q', '-t', 'built', '-f', '-', context], { input: dockerfile })
  assert.equal(code, 0, stderr)
  assert.equal(await docker.ok('run', '--rm', 'built', 'cat', '/copy'), String(round))
  await docker.ok('rmi', '-f', 'built')
}

const pulls = async ({ docker, image }: Scene): Promise<void> => {
  await docker.ok('pull', '-q', image)
  assert.equal(await docker.ok('run', '--rm', image, 'cat', '/own'), 'own')
  await docker.ok('rmi', image)
}

const runs = async ({ docker }: Scene, round: number): Promise<void> => {
  const name = `run${round}`
  await docker.ok('run', '--name', name, '-v', '/data', 'busybox', 'sh', '-c', `echo ${name} >/kept; echo x >/data/x`)
  await docker.ok('commit', name, name)
  assert.equal(await docker.ok('run', '--rm', name, 'cat', '/kept'), name)
  await docker.ok('rm', '-v', name)
  await docker.ok('rmi', name)
}

const prunes = async ({ docker }: Scene): Promise<void> => {
  await docker.ok('image', 'prune', '-f')
  await docker.ok('builder', 'prune', '-af')
  await docker.ok('volume', 'prune', '-f')
}

test(
  'pulls, builds, runs, removals and prunes at the same time: nothing in use goes, nothing unused stays',
  { timeout: 900_000 },
  async () => {
    using folder = temporary()
    const leftovers = watchLeftovers(folder.path)
    {
      await using registry = await startRegistry(folder.path)
      await using daemon = await startDaemon({ folder: folder.path })
      using docker = dockerClient(daemon.host)
      const scene = { docker, image: `${registry.host}/own`, context: folder.join('context') }
      await prepare(scene)
      const rounds = async (work: (scene: Scene, round: number) => Promise<void>): Promise<void> => {
        for (let round = 0; round < ROUNDS; round += 1) await work(scene, round)
      }
      await Promise.all([builds, pulls, runs, prunes].map(rounds))
      await assertSums(daemon, 'after everything at once')
      await pruneEverything(docker)
      await assertOnlyRecords(daemon)
    }
    await leftovers.assertNothingLeft()
  },
)

/** The image of the pulls is on the registry alone. */
async function prepare({ docker, image, context }: Scene): Promise<void> {
  mkdirSync(context)
  await docker.ok('pull', '-q', 'busybox')
  await docker.ok('run', '--name', 'own', 'busybox', 'sh', '-c', 'echo own >/own')
  await docker.ok('commit', 'own', image)
  await docker.ok('push', '-q', image)
  await docker.ok('rmi', image)
}
