import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { sleep } from '#base'
import { killProcess, processExited, readDescriptor, spawnProcess } from '#kernel'
import type { SpawnedProcess } from '#kernel'
import { readPid } from './bundle.ts'
import type { Bundle, Folders } from './bundle.ts'
import { isStopped, killFamily, standstillOf } from './standstill.ts'
import type { LogTarget, RuntimeProgram } from './types.ts'

export interface MonitorRequest {
  readonly id: string
  readonly terminal: boolean
  readonly program: RuntimeProgram
  /** conmon's file. */
  readonly monitor: string
  readonly folders: Folders
  readonly bundle: Bundle
  readonly stdio: LogTarget
  readonly path: string
}

/** What became of a creation: the pid of the container's process, or what the runtime complained of or how it did not answer. */
export type MonitorAnswer = { readonly pid: number } | { readonly failure: string; readonly hangs?: true }

/**
 * Starts conmon, in a session of its own so that it outlives us, and waits until the container is created. It holds the
 * container's streams, writes its log, and leaves its exit code in a file. No descriptor of ours goes with it.
 */
export async function startMonitor(request: MonitorRequest): Promise<MonitorAnswer> {
  const complaints = join(request.bundle.folder, 'monitor.log')
  const log = openSync(complaints, 'w', 0o600)
  try {
    const child = spawnProcess({
      file: request.monitor,
      args: argumentsOf(request),
      env: { PATH: request.path, _OCI_SYNCPIPE: '3' },
      cwd: request.bundle.folder,
      stdio: ['ignore', 'ignore', log, 'pipe'],
      session: true,
    })
    // With --sync conmon writes no pid file of its own.
    writeFileSync(request.bundle.monitorPidFile, String(child.pid))
    const answer = await readAnswer(child)
    if (typeof answer !== 'string') return answer
    return parseAnswer(answer) ?? { failure: readFileSync(complaints, 'utf8').trim() || SILENT }
  } finally {
    closeSync(log)
  }
}

const SILENT = 'its monitor (conmon) ended without a word: it or the runtime was killed; start the container again'

/**
 * `--log-size-max` is never given: conmon 2.1.6 loses lines by it. With `--no-sync-log` nothing waits for the disk when a
 * log goes on in a new file.
 */
function argumentsOf({ id, terminal, program, folders, bundle, stdio }: MonitorRequest): readonly string[] {
  return [
    '--api-version=1',
    '--sync',
    '--full-attach',
    `--cid=${id}`,
    `--cuuid=${id}`,
    `--runtime=${program.file}`,
    `--runtime-arg=--root=${folders.state}`,
    `--bundle=${bundle.folder}`,
    `--container-pidfile=${bundle.pidFile}`,
    '--no-sync-log',
    `--log-path=${stdio.logPath === undefined ? 'none' : `k8s-file:${stdio.logPath}`}`,
    `--exit-dir=${folders.exits}`,
    ...(terminal ? ['--terminal'] : []),
    ...(stdio.openStdin ? ['--stdin'] : []),
    ...(stdio.openStdin && !stdio.stdinOnce ? ['--leave-stdin-open'] : []),
  ]
}

/** So long a creation may take; it takes milliseconds, seconds on a crowded machine. Milliseconds. */
const CREATION = 60_000

/** What conmon writes, or why nothing more is to be expected. */
async function readAnswer({ pid, pipes }: SpawnedProcess): Promise<string | MonitorAnswer> {
  const fd = pipes.get(3)
  if (fd === undefined) return ''
  const answered = new AbortController()
  const given = new AbortController()
  const { signal } = answered
  const late = sleep(CREATION, signal).then(() => `the runtime did not answer within ${CREATION / 1000} seconds`)
  const giveUp = Promise.race([late, standstillOf(pid, signal)]).then(
    (reason) => given.abort(reason),
    () => undefined,
  )
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of readDescriptor(fd, { signal: given.signal })) {
      chunks.push(chunk)
      if (chunk.includes(LINE_FEED)) break
    }
  } catch (error) {
    if (!given.signal.aborted) throw error
    killFamily(pid)
    return { failure: String(given.signal.reason), hangs: true }
  } finally {
    answered.abort()
    await giveUp
    closeSync(fd)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const LINE_FEED = 10

/** `{"data": pid}`, or `{"data": -1, "message": text}`. */
export function parseAnswer(text: string): MonitorAnswer | undefined {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof answer !== 'object' || answer === null || !('data' in answer) || typeof answer.data !== 'number')
    return undefined
  if (answer.data > 0) return { pid: answer.data }
  const message = 'message' in answer && typeof answer.message === 'string' ? answer.message.trim() : ''
  return { failure: message || `the runtime ended with ${answer.data}` }
}

/** Resolves once no monitor of the container lives; its exit file, if it left one, is there by then. */
export async function monitorLost(bundle: Bundle, id: string): Promise<undefined> {
  const pid = readPid(bundle.monitorPidFile)
  if (isMonitorOf(pid, id)) await processExited(pid, { keepAlive: false })
  return undefined
}

/** So long a monitor may take to say how its container ended: the disk of the log may be slow. Milliseconds. */
const SILENCE = 10_000
/** One that was stopped is woken after this time, so that it can say it. Milliseconds. */
const WAKE_AFTER = 200

/**
 * When the process of a container has ended and nothing is heard of that: wakes its monitor where it was stopped, and in
 * the end kills it. To be aborted where it is heard.
 */
export async function endSilentMonitor(
  bundle: Bundle,
  { id, pid, signal }: { readonly id: string; readonly pid: number; readonly signal: AbortSignal },
): Promise<void> {
  if (pid > 0) await processExited(pid, { keepAlive: false, signal })
  await sleep(WAKE_AFTER, signal)
  const monitor = readPid(bundle.monitorPidFile)
  if (isMonitorOf(monitor, id)) wake(monitor)
  await sleep(SILENCE, signal)
  if (isMonitorOf(monitor, id)) killProcess(monitor, constants.signals.SIGKILL)
}

function wake(monitor: number): void {
  if (isStopped(monitor)) killProcess(monitor, constants.signals.SIGCONT)
}

/** A monitor whose container is gone ends by itself, and writes the exit file before. Milliseconds. */
const PATIENCE = 3000

/** Waits for the end of the monitor of a container that was killed, or kills it: nothing of it must come after. */
export async function endMonitor(bundle: Bundle, id: string): Promise<void> {
  const pid = readPid(bundle.monitorPidFile)
  if (!isMonitorOf(pid, id)) return
  wake(pid)
  const waiting = new AbortController()
  const late = sleep(PATIENCE, waiting.signal).then(
    () => killProcess(pid, constants.signals.SIGKILL),
    () => undefined,
  )
  await processExited(pid)
  waiting.abort()
  await late
}

/** The number may have been given to another process: only conmon of this container has it in its arguments. */
function isMonitorOf(pid: number, id: string): boolean {
  if (pid === 0) return false
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`--cid=${id}\0`)
  } catch {
    return false
  }
}
