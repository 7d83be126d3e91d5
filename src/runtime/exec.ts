import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { shortId, sleep, unsupported } from '#base'
import { listenForDescriptor, spawnProcess } from '#kernel'
import type { ExitStatus, SpawnedProcess } from '#kernel'
import { startError } from './command-error.ts'
import { processOf } from './spec.ts'
import { killFamily, standstillOf } from './standstill.ts'
import { streamsOfPipes, streamsOfTerminal } from './stream.ts'
import type { OwnedStreams } from './stream.ts'
import type { ExecOptions, ExecProcess, ProcessSpec, RuntimeProgram } from './types.ts'

export interface ExecPlace {
  readonly id: string
  readonly program: RuntimeProgram
  /** The runtime's `--root`. */
  readonly state: string
  /** The container's bundle folder; each exec gets a folder in it while it runs. */
  readonly folder: string
  readonly path: string
}

/** When the process is gone but somebody else holds its pipes, its output is read so much longer (as Docker). Milliseconds. */
const LINGER = 2000

/** Starts one more process in a running container. Throws what `startError` says where the command cannot be started. */
export async function execIn(place: ExecPlace, process: ProcessSpec, options: ExecOptions): Promise<ExecProcess> {
  const folder = join(place.folder, shortId())
  mkdirSync(folder, { mode: 0o700 })
  try {
    writeFileSync(join(folder, 'process.json'), JSON.stringify(processOf(process)))
    const started = await launch({ place, process, options, folder })
    const exited = started.child.exited.finally(() => rmSync(folder, { recursive: true, force: true }))
    const streams = started.streams
    if (streams) void settleLater(exited, streams)
    return {
      pid: started.pid,
      ...(streams && { streams }),
      exited,
      resize: async (rows, columns) => await streams?.resize(rows, columns),
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

interface Launch {
  readonly place: ExecPlace
  readonly process: ProcessSpec
  readonly options: ExecOptions
  readonly folder: string
}

interface Launched {
  readonly child: SpawnedProcess
  readonly pid: number
  readonly streams: OwnedStreams | undefined
}

async function launch(launch: Launch): Promise<Launched> {
  return launch.process.terminal ? await atTerminal(launch) : await withPipes(launch)
}

async function withPipes(launch: Launch): Promise<Launched> {
  const { options } = launch
  const output = options.detach ? 'ignore' : 'pipe'
  const child = spawnRuntime(launch, [options.stdin && !options.detach ? 'pipe' : 'ignore', output, output], [])
  const { pipes } = child
  const streams = options.detach
    ? undefined
    : streamsOfPipes({ stdin: pipes.get(0), stdout: pipes.get(1), stderr: pipes.get(2) })
  try {
    return { child, pid: await pidOf(launch, child), streams }
  } catch (error) {
    await streams?.[Symbol.asyncDispose]()
    throw error
  }
}

async function atTerminal(launch: Launch): Promise<Launched> {
  if (launch.place.program.name === 'runc')
    throw unsupported('cannot exec with a terminal: runc does not hand one over to a running program; install crun')
  const socket = join(launch.folder, 'tty')
  using listener = listenForDescriptor(socket)
  const child = spawnRuntime(launch, ['ignore', 'ignore', 'ignore'], [`--console-socket=${socket}`])
  const ended = new AbortController()
  // A short command has ended, and its runtime too, perhaps before its terminal was taken over: what it said is in there.
  child.exited.then(
    () => ended.abort(),
    () => ended.abort(),
  )
  const master = await listener.receive(ended.signal).catch(() => undefined)
  const streams = master === undefined ? undefined : streamsOfTerminal(master)
  try {
    const pid = await pidOf(launch, child)
    if (launch.options.detach) {
      // Somebody must read the terminal, else the process stops where it is full.
      if (streams) void drainAndClose(streams)
      return { child, pid, streams: undefined }
    }
    return { child, pid, streams }
  } catch (error) {
    await streams?.[Symbol.asyncDispose]()
    throw error
  }
}

function spawnRuntime(
  { place, folder }: Launch,
  stdio: readonly ('pipe' | 'ignore')[],
  extra: readonly string[],
): SpawnedProcess {
  return spawnProcess({
    file: place.program.file,
    args: [
      `--root=${place.state}`,
      `--log=${join(folder, 'log')}`,
      'exec',
      `--process=${join(folder, 'process.json')}`,
      `--pid-file=${join(folder, 'pid')}`,
      ...extra,
      place.id,
    ],
    env: { PATH: place.path },
    stdio: [...stdio],
  })
}

/** So long a start may take; it takes milliseconds, seconds on a crowded machine. Milliseconds. */
const STARTING = 60_000

/** Waits for the pid file, which the runtime writes when the process is there, or for the runtime's end. */
async function pidOf(launch: Launch, child: SpawnedProcess): Promise<number> {
  const { process, options, folder } = launch
  const file = join(folder, 'pid')
  let [end, failure]: [ExitStatus | undefined, string | undefined] = [undefined, undefined]
  const watching = child.exited.then((status) => (end = status))
  const over = new AbortController()
  whyNot(child.pid, over.signal).then(
    (reason) => {
      failure = reason
      killFamily(child.pid)
    },
    () => undefined,
  )
  try {
    for (let attempt = 0; ; attempt += 1) {
      const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').trim()) : 0
      if (pid > 0) return pid
      if (end)
        throw startError('exec', {
          root: options.rootfs,
          command: process.args[0] ?? '',
          cwd: process.cwd,
          message: failure ?? complaintOf(folder),
        })
      // It takes some 5 ms; looking costs a hundredth of that.
      await Promise.race([watching, sleep(attempt < 30 ? 1 : 10)])
    }
  } finally {
    over.abort()
  }
}

/** Resolves with the reason why no process will come, should there be one. */
async function whyNot(pid: number, signal: AbortSignal): Promise<string> {
  return await Promise.race([
    standstillOf(pid, signal),
    sleep(STARTING, signal).then(() => `the runtime did not answer within ${STARTING / 1000} seconds`),
  ])
}

/** The last line of the runtime's log: what it could not do. */
function complaintOf(folder: string): string {
  const log = join(folder, 'log')
  return existsSync(log) ? (readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? '') : ''
}

async function settleLater(exited: Promise<ExitStatus>, streams: OwnedStreams): Promise<void> {
  await exited.catch(() => undefined)
  const timer = setTimeout(() => streams.settle(), LINGER)
  timer.unref()
}

async function drainAndClose(streams: OwnedStreams): Promise<void> {
  for await (const _ of streams.output);
  await streams[Symbol.asyncDispose]()
}
