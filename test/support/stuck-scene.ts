import { startDaemon, type TestDaemon } from '#test/daemon'
import { type Docker, dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before } from 'node:test'

/** Who stands still, and how: the runtime stopped, asleep or killed, or the monitor above it stopped. */
export type Standstill = 'runtime' | 'sleeper' | 'killed' | 'monitor'

/** A daemon whose runtime and workers stand still where a test says so. Nothing of it is there before the first test. */
export interface StuckScene {
  readonly daemon: TestDaemon
  readonly docker: Docker
  /** A path in the test's own folder. */
  join(...parts: readonly string[]): string
  /** From now on the runtime stands still where `word` is one of its arguments, until the test ends or `goOn`. */
  standStill(word: string, who: Standstill): void
  goOn(): void
}

/**
 * Makes the scene before the first test of a file and takes it away behind the last. `env` goes to the daemon; it is made
 * of the scene's folder.
 */
export function stuckScene(env: (folder: string) => Readonly<Record<string, string>> = () => ({})): StuckScene {
  const folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  const order = folder.join('stuck')
  let made: { readonly daemon: TestDaemon; readonly docker: Docker } | undefined
  const get = () => {
    assert.ok(made, 'the scene is there while a test runs')
    return made
  }
  before(async () => {
    makeRuntime(folder.join('bin'), order)
    const path = `${folder.join('bin')}:${process.env['PATH'] ?? ''}`
    const daemon = await startDaemon({ folder: folder.path, env: { PATH: path, ...env(folder.path) } })
    made = { daemon, docker: dockerClient(daemon.host) }
    await made.docker.ok('pull', '-q', 'busybox')
  })
  const goOn = (): void => rmSync(order, { force: true })
  afterEach(goOn)
  after(async () => {
    made?.docker[Symbol.dispose]()
    await made?.daemon[Symbol.asyncDispose]()
    await leftovers.assertNothingLeft()
    folder[Symbol.dispose]()
  })
  return {
    get daemon() {
      return get().daemon
    },
    get docker() {
      return get().docker
    },
    join: (...parts) => folder.join(...parts),
    standStill: (word, who) => writeFileSync(order, `${word} ${who}\n`),
    goOn,
  }
}

/** Stands before crun on the daemon's PATH and follows the order in a file. */
function makeRuntime(bin: string, order: string): void {
  const program = (process.env['PATH'] ?? '')
    .split(':')
    .map((path) => join(path, 'crun'))
    .find((path) => existsSync(path))
  assert.ok(program, 'crun is on PATH')
  mkdirSync(bin)
  const text = `#!/bin/sh
if read -r word who <${order} && case " $* " in *" $word "*) true;; *) false;; esac; then
  case $who in monitor) kill -STOP "$PPID";; sleeper) exec sleep 1000;; killed) kill -KILL $$;; *) kill -STOP $$;; esac
fi 2>/dev/null
exec ${program} "$@"
`
  writeFileSync(join(bin, 'crun'), text)
  chmodSync(join(bin, 'crun'), 0o755)
}
