import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { cancelled, throwIfCancelled } from '#base'
import { killProcess, runProcess, spawnProcess, unmount } from '#kernel'
import type { ExitStatus } from '#kernel'
import { readPid } from './bundle.ts'
import { isInCgroup, removeCgroup } from './cgroup.ts'
import { startError } from './command-error.ts'
import { killMakers } from './maker.ts'
import { streamsOfPipes } from './stream.ts'
import type { OutputChunk, RunRequest, RuntimeProgram } from './types.ts'

const { SIGKILL } = constants.signals

export interface StepPlace {
  readonly program: RuntimeProgram
  /** The runtime's `--root`. */
  readonly state: string
  /** Holds a folder for each step that runs. */
  readonly folder: string
  readonly path: string
}

export interface StepRun {
  readonly request: RunRequest
  readonly spec: object
  readonly output: (chunk: OutputChunk) => void
  readonly signal: AbortSignal | undefined
}

/**
 * Runs a build step to its end: the runtime in the foreground, its pipes ours, no monitor. What a successor needs to undo it
 * is written before it starts.
 */
export async function runStepIn(place: StepPlace, { request, spec, output, signal }: StepRun): Promise<ExitStatus> {
  throwIfCancelled(signal, 'build step')
  const folder = join(place.folder, request.id.slice(0, 12))
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const record: StepRecord = { id: request.id, root: request.rootfs, cgroup: request.cgroupPath }
  writeFileSync(join(folder, 'step.json'), JSON.stringify(record))
  writeFileSync(join(folder, 'config.json'), JSON.stringify(spec))
  const child = spawnProcess({
    file: place.program.file,
    args: [
      `--root=${place.state}`,
      `--log=${join(folder, 'log')}`,
      'run',
      `--bundle=${folder}`,
      `--pid-file=${join(folder, 'pid')}`,
      request.id,
    ],
    env: { PATH: place.path },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const abort = (): void => void killProcess(readPid(join(folder, 'pid')) || child.pid, SIGKILL)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const started = await follow(folder, child, output)
    const status = await child.exited
    if (signal?.aborted) throw cancelled('build step', signal.reason)
    if (!started && status.code !== 0) throw complaint(folder, request)
    return status
  } finally {
    signal?.removeEventListener('abort', abort)
    if (signal?.aborted) await undo(place, record)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Hands the output on; true where the command was started (what the runtime itself says is held back till then). */
async function follow(
  folder: string,
  child: { readonly pipes: ReadonlyMap<number, number> },
  output: (chunk: OutputChunk) => void,
): Promise<boolean> {
  await using streams = streamsOfPipes({ stdin: undefined, stdout: child.pipes.get(1), stderr: child.pipes.get(2) })
  const pidFile = join(folder, 'pid')
  let held: OutputChunk[] = []
  let started = false
  for await (const chunk of streams.output) {
    started ||= existsSync(pidFile)
    if (!started) {
      held.push(chunk)
      continue
    }
    for (const earlier of held) output(earlier)
    held = []
    output(chunk)
  }
  started ||= existsSync(pidFile)
  if (started) for (const earlier of held) output(earlier)
  return started
}

function complaint(folder: string, request: RunRequest): Error {
  const log = join(folder, 'log')
  const message = existsSync(log) ? (readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? '') : ''
  return startError('create', {
    root: request.rootfs,
    command: request.process.args[0] ?? '',
    cwd: request.process.cwd,
    message,
    mounts: request.mounts,
  })
}

interface StepRecord {
  readonly id: string
  readonly root: string
  readonly cgroup: string
}

/** Kills, deletes and unmounts what a killed daemon left of its build steps. */
export async function removeStepsIn(place: StepPlace): Promise<void> {
  if (!existsSync(place.folder)) return
  for (const name of readdirSync(place.folder)) {
    const folder = join(place.folder, name)
    const record = readRecord(join(folder, 'step.json'))
    if (record) {
      await killMakers(record.id)
      const pid = readPid(join(folder, 'pid'))
      if (pid > 0 && isInCgroup(pid, record.cgroup)) killProcess(pid, SIGKILL)
      await undo(place, record)
      await unmount(record.root, { detach: true, ifMounted: true })
    }
    rmSync(folder, { recursive: true, force: true })
  }
}

async function undo(place: StepPlace, record: StepRecord): Promise<void> {
  await runProcess(place.program.file, [`--root=${place.state}`, 'delete', '--force', record.id], {
    env: { PATH: place.path },
  })
  removeCgroup(record.cgroup)
  rmSync(join(place.state, record.id), { recursive: true, force: true })
}

function readRecord(path: string): StepRecord | undefined {
  if (!existsSync(path)) return undefined
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof value !== 'object' || value === null) return undefined
    const { id, root, cgroup } = value as Partial<StepRecord>
    return id !== undefined && root !== undefined && cgroup !== undefined ? { id, root, cgroup } : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
