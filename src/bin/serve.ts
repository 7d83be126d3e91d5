import { rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { flushCompileCache } from 'node:module'
import { createApi } from '#api'
import { createLog, messageOf, writeFileAtomic } from '#base'
import { openEngine } from '#engine'
import type { Engine } from '#engine'
import { endProcess } from '#kernel'
import type { DaemonOptions } from './daemon-options.ts'
import { engineConfigOf } from './engine-config.ts'
import { restWhenIdle } from './rest.ts'

/** Opens the engine and serves its API until a signal ends it. */
export async function serve(options: DaemonOptions): Promise<void> {
  const config = engineConfigOf(options)
  const log = createLog(options.logLevel, config.writeLog)
  process.once('beforeExit', sayStuck)
  // A log that takes nothing, on a full disk or with nobody reading it, is no reason to end.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  const engine = await openEngine(config)
  const api = createApi({ engine, log })
  let addresses: readonly string[]
  try {
    addresses = await api.listen(options.hosts)
  } catch (error) {
    await engine[Symbol.asyncDispose]()
    throw error
  }
  await mkdir(options.execRoot, { recursive: true })
  await writeFileAtomic(options.pidfile, `${process.pid}\n`, 0o644)
  process.stdout.write(`mica: accepting calls on ${addresses.join(', ')}\n`)
  restWhenIdle()
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGUSR2'] as const)
    process.once(signal, () => {
      close({ engine, options, api, all: signal === 'SIGUSR2' }).catch((error: unknown) =>
        log.error('cannot close the engine', { error: messageOf(error) }),
      )
    })
  process.on('unhandledRejection', (error) =>
    log.error('unhandled rejection', { error: error instanceof Error ? error.stack : String(error) }),
  )
}

/** Nothing is left to do, and yet no call is accepted: something waits for what does not come. */
function sayStuck(): void {
  process.stderr.write('mica: the daemon ended before it could accept calls\n')
  process.exitCode = 1
}

interface Closing {
  readonly engine: Engine
  readonly api: { close(): Promise<void> }
  readonly options: DaemonOptions
  /** Stop the containers too. */
  readonly all: boolean
}

async function close({ engine, api, options, all }: Closing): Promise<void> {
  await api.close()
  if (all) await engine.system.stopAll()
  await engine[Symbol.asyncDispose]()
  rmSync(options.pidfile, { force: true })
  flushCompileCache()
  endProcess(0)
}
