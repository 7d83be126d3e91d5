import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf, messageOf, unavailable } from '#base'
import { type Io, runCli } from '#cli'
import { createIo } from './io.ts'
import { VERSION } from './version.ts'

/** Loaded where it is used only: most commands start no program. */
const childProcess = () => process.getBuiltinModule('node:child_process')

/** Of a credential helper: an account is short. */
const MAX_OUTPUT = 4 << 20
const DAEMON_LOG_FOLDER = '/run/mica-start'
/** What bin/mica has set for this process alone. */
const OWN_TUNABLES = 'glibc.malloc.hugetlb=1:glibc.malloc.top_pad=8388608'

/** Beside the CLI that was started, in the same form: `daemon.ts` in the sources, `daemon.js` in the bundle. */
function daemonProgram(words: readonly string[]) {
  const [, entry = ''] = process.argv
  const folder = dirname(entry)
  if (entry.endsWith('.ts'))
    return { args: [...process.execArgv, join(folder, 'daemon.ts'), ...words], env: process.env }
  refreshBundle(dirname(folder))
  const NODE_COMPILE_CACHE = process.env['NODE_COMPILE_CACHE'] ?? join(folder, '.compiled')
  return { args: [join(folder, 'daemon.js'), ...words], env: { ...process.env, NODE_COMPILE_CACHE } }
}

/** In a tree with sources; `bin/mica` has looked at those of the CLI only. */
function refreshBundle(root: string): void {
  const script = join(root, 'scripts/build.mjs')
  if (!existsSync(script)) return
  const { status } = childProcess().spawnSync(process.execPath, [script, '--if-stale'], { stdio: ['ignore', 2, 2] })
  if (status !== 0) throw unavailable('cannot start the daemon: its program cannot be built')
}

/** The process itself becomes the daemon: its pid, streams and signals are those of the command that was typed. */
function becomeDaemon(words: readonly string[]): Promise<number> {
  const { args, env } = daemonProgram(words)
  process.execve?.(process.execPath, [process.execPath, ...args], env)
  return Promise.resolve(125)
}

/** Waits as long as the program takes: a helper may ask its user something. */
function runProgram(
  file: string,
  args: readonly string[],
  input: string,
): Promise<{ readonly status: number | undefined; readonly stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = childProcess().spawn(file, [...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    let stdout = ''
    child.stdout.setEncoding('utf8')
    child.stdout.on('data', (text: string) => (stdout = (stdout + text).slice(0, MAX_OUTPUT)))
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    child.once('error', (error) => {
      if (errnoOf(error) === 'ENOENT') resolve({ status: undefined, stdout: '' })
      else reject(error)
    })
    child.once('close', (code) => resolve({ status: code ?? 128, stdout }))
  })
}

/** In a session of its own, with none of this process's descriptors: `mica ps | cat` ends when mica ends. */
function startDaemon(words: readonly string[]) {
  if (process.geteuid?.() !== 0)
    throw unavailable('no daemon runs, and starting one takes root for now: run mica as root, or with sudo')
  const { args, env } = daemonProgram(words)
  mkdirSync(DAEMON_LOG_FOLDER, { recursive: true, mode: 0o700 })
  const log = `${DAEMON_LOG_FOLDER}/daemon.log`
  const output = openSync(log, 'w', 0o600)
  try {
    const child = childProcess().spawn(process.execPath, args, {
      detached: true,
      stdio: ['ignore', output, output],
      cwd: '/',
      env,
    })
    let ended = false
    child.once('exit', () => (ended = true))
    child.once('error', () => (ended = true))
    child.unref()
    return { alive: () => !ended, output: () => readFileSync(log, 'utf8') }
  } finally {
    closeSync(output)
  }
}

/** A reader that went away (`mica logs x | head`) ends the writer, as a broken pipe ends any other program. */
function endUnread(error: unknown): never {
  if (errnoOf(error) === 'EPIPE') return process.exit(141)
  const why = errnoOf(error) === 'ENOSPC' ? 'no space left on device' : messageOf(error)
  writeSync(2, `write /dev/stdout: ${why}\n`)
  return process.exit(1)
}

/** What a command is given, but its words and its folder. */
export function surroundings() {
  const io = createIo(process, endUnread)
  return { env: process.env, io, now: () => Date.now(), version: VERSION, runProgram, becomeDaemon, startDaemon }
}

/** Runs the command of this process's own words, and ends the process with its status. */
export function main(): void {
  if (process.env['GLIBC_TUNABLES'] === OWN_TUNABLES) delete process.env['GLIBC_TUNABLES']
  const own = surroundings()
  runCli({ ...own, words: process.argv.slice(2), cwd: process.cwd() })
    .then((exit) => drained(own.io, exit))
    .then(
      (exit) => process.exit(exit),
      (error: unknown) => {
        process.stderr.write(`mica: ${error instanceof Error ? (error.stack ?? messageOf(error)) : String(error)}\n`)
        process.exit(125)
      },
    )
}

/** A slow reader has taken everything before the process ends. */
export async function drained({ stdout, stderr }: Io, exit: number): Promise<number> {
  await Promise.all([stdout.drained(), stderr.drained()])
  return exit
}
