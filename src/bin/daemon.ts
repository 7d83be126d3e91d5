import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createApi } from '#api'
import { createLog, isKind, messageOf, sleep, writeFileAtomic } from '#base'
import { diagnose, diagnoseApart, enterOwnNamespace, inheritedHost, openEngine } from '#engine'
import type { Engine, EngineConfig, Finding } from '#engine'
import { parseDaemonOptions } from './daemon-options.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { VERSION } from './version.ts'

/** How long `stop` waits for the daemon to end. Milliseconds. */
const STOP_PATIENCE = 60_000

async function main(): Promise<void> {
  const options = parseDaemonOptions(process.argv.slice(2))
  switch (options.action) {
    case 'stop':
      return await stopDaemon(options)
    case 'doctor':
      return await printDiagnosis(options)
    case 'run':
      return inheritedHost(process.env) === undefined ? enterNamespace(options) : await serve(options)
  }
}

/** Executes itself inside the daemon's own mount namespace; the pid stays. */
function enterNamespace(options: DaemonOptions): void {
  if (process.geteuid?.() !== 0)
    throw new Error('cannot start the daemon: mica needs root for now; start it as root, or with sudo')
  mkdirSync(options.execRoot, { recursive: true, mode: 0o711 })
  mkdirSync(options.dataRoot, { recursive: true, mode: 0o710 })
  enterOwnNamespace(options.execRoot, [...process.execArgv, ...process.argv.slice(1)], process.env)
}

async function serve(options: DaemonOptions): Promise<void> {
  const config = configOf(options)
  const log = createLog(options.logLevel, config.writeLog)
  process.once('beforeExit', sayStuck)
  const engine = await openEngine(config)
  const api = createApi({ engine, log })
  try {
    await api.listen(options.hosts)
  } catch (error) {
    await engine[Symbol.asyncDispose]()
    throw error
  }
  await mkdir(options.execRoot, { recursive: true })
  await writeFileAtomic(options.pidfile, `${process.pid}\n`, 0o644)
  process.stdout.write(`mica: accepting calls on ${options.hosts.join(', ')}\n`)
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
  process.exit(0)
}

function configOf(options: DaemonOptions): EngineConfig {
  return {
    version: VERSION,
    dataRoot: options.dataRoot,
    execRoot: options.execRoot,
    mirrors: options.mirrors,
    insecureRegistries: options.insecureRegistries,
    proxy: proxyOf(process.env),
    ...(options.bip !== undefined && { bip: options.bip }),
    logLevel: options.logLevel,
    workerEntry: workerEntry(),
    hostMounts: inheritedHost(process.env),
    writeLog: (line) => process.stderr.write(line),
    path: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
  }
}

/** The usual variables, in either case. */
function proxyOf(env: NodeJS.ProcessEnv): EngineConfig['proxy'] {
  const read = (name: string): string | undefined => env[name.toUpperCase()] ?? env[name]
  const [http, https, except] = [read('http_proxy'), read('https_proxy'), read('no_proxy')]
  return { ...(http && { http }), ...(https && { https }), ...(except && { except }) }
}

/** Beside this file, in the same form: `worker.ts` in the sources, `worker.js` in the bundle. */
function workerEntry(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
}

/** As root it goes on inside a mount namespace of its own, below a temporary exec root: a daemon would live so too. */
async function printDiagnosis(options: DaemonOptions): Promise<void> {
  const inside = inheritedHost(process.env) !== undefined
  if (!inside && process.geteuid?.() === 0) {
    const execRoot = mkdtempSync('/run/mica-doctor-')
    enterOwnNamespace(execRoot, [...process.execArgv, ...process.argv.slice(1), '--exec-root', execRoot], process.env)
  }
  const findings = inside ? await diagnoseApart(configOf(options)) : await diagnose(configOf(options))
  process.stdout.write(
    options.json ? `${JSON.stringify(findings)}\n` : findings.map((finding) => `${lineOf(finding)}\n`).join(''),
  )
  if (findings.some((finding) => finding.essential && !finding.ok)) process.exitCode = 1
}

function lineOf(finding: Finding): string {
  const mark = finding.ok ? 'ok  ' : finding.essential ? 'FAIL' : 'warn'
  return `${mark}  ${finding.name.padEnd(13)} ${finding.text}${finding.cure === undefined ? '' : `\n      cure:         ${finding.cure}`}`
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
