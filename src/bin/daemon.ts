import { mkdirSync, readFileSync } from 'node:fs'
import { isKind, messageOf, sleep } from '#base'
import { enterOwnNamespace, inheritedHost } from '#engine/namespace'
import { keepCompiled } from './compiled.ts'
import { parseDaemonOptions } from './daemon-options.ts'
import type { DaemonOptions } from './daemon-options.ts'

/** How long `stop` waits for the daemon to end. Milliseconds. */
const STOP_PATIENCE = 60_000

async function main(): Promise<void> {
  const options = parseDaemonOptions(process.argv.slice(2))
  switch (options.action) {
    case 'stop':
      return await stopDaemon(options)
    case 'doctor':
      return await (await import('./diagnosis.ts')).printDiagnosis(options)
    case 'run':
      if (inheritedHost(process.env) === undefined) return enterNamespace(options)
      keepCompiled()
      return await (await import('./serve.ts')).serve(options)
  }
}

/**
 * Without the first the space for young objects grows to 32 MB under load; the second lets an idle daemon give memory back
 * (`rest.ts`). And each of the process's dozen threads would take from the C library an arena of its own (mallopt(3)),
 * some 20 MB in all. The last: Node would open a debugger to all users of the machine where SIGUSR1 comes, by which dockerd is asked for its
 * stacks.
 */
const FLAGS = ['--max-semi-space-size=4', '--expose-gc', '--disable-sigusr1'] as const

/**
 * Executes itself inside the daemon's own mount namespace; the pid stays. The rest of the program is loaded there: what is
 * loaded here is thrown away.
 */
function enterNamespace(options: DaemonOptions): void {
  if (process.geteuid?.() !== 0)
    throw new Error('cannot start the daemon: mica needs root for now; start it as root, or with sudo')
  mkdirSync(options.execRoot, { recursive: true, mode: 0o711 })
  mkdirSync(options.dataRoot, { recursive: true, mode: 0o710 })
  const args = [...FLAGS, ...process.execArgv, ...process.argv.slice(1)]
  enterOwnNamespace(options.execRoot, args, { MALLOC_ARENA_MAX: '2', ...process.env })
}

/** Asks the daemon of this exec root to end, and waits for it. */
async function stopDaemon(options: DaemonOptions): Promise<void> {
  const pid = Number(readPid(options.pidfile))
  if (!Number.isSafeInteger(pid) || pid <= 1 || !isMicaDaemon(pid)) {
    process.stdout.write(`mica: no daemon runs at ${options.execRoot}\n`)
    return
  }
  process.kill(pid, options.all ? 'SIGUSR2' : 'SIGTERM')
  const end = Date.now() + STOP_PATIENCE
  while (isMicaDaemon(pid)) {
    if (Date.now() > end)
      throw new Error(`cannot stop the daemon with pid ${pid}: it did not end within ${STOP_PATIENCE / 1000} s`)
    await sleep(20)
  }
}

function readPid(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

/** A pid may have been given to another process since: only one that is a mica daemon is ever signalled. */
function isMicaDaemon(pid: number): boolean {
  try {
    return /daemon\.(js|ts)\0/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
  } catch {
    return false
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`mica: ${messageOf(error)}\n`)
  process.exit(isKind(error, 'invalid') ? 125 : 1)
})
