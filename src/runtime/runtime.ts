import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { EngineError, internal, type Log, messageOf, notFound, unavailable } from '#base'
import { capabilities, cgroupMode, killProcess, processExited, sealProgram } from '#kernel'
import type { CgroupMode, ExitStatus } from '#kernel'
import { bundleOf, foldersOf, readPid, removeBundle, removeRuntimeState } from './bundle.ts'
import type { Bundle, Folders } from './bundle.ts'
import {
  cgroupOf,
  createFreezer,
  isInCgroup,
  processesOf,
  removeCgroup,
  removeCgroupParents,
  removeStrayCgroups,
} from './cgroup.ts'
import type { Freezer } from './cgroup.ts'
import { DEFAULT_CAPABILITIES } from './capability.ts'
import { startError } from './command-error.ts'
import { hostDevices } from './device.ts'
import { execIn } from './exec.ts'
import { createForewarning } from './forewarning.ts'
import { openExits } from './exits.ts'
import type { Exits } from './exits.ts'
import { killMakers } from './maker.ts'
import { endMonitor, endSilentMonitor, monitorLost, startMonitor } from './monitor.ts'
import { findProgram, findRuntime } from './program.ts'
import { seccompOf, specOf } from './spec.ts'
import { defaultSeccomp } from './seccomp.ts'
import type { Machine } from './seccomp-calls.ts'
import { createSeccompFilters } from './seccomp-filter.ts'
import type { SeccompFilters } from './seccomp-filter.ts'
import type { HostFacts } from './spec.ts'
import { removeStepsIn, runStepIn } from './step.ts'
import type { StepPlace } from './step.ts'
import { runWatched } from './standstill.ts'
import { attachToMonitor, releaseProcess, writeFifo } from './stream.ts'
import type {
  ExecOptions,
  ExecProcess,
  LogTarget,
  OutputChunk,
  ProcessExit,
  ProcessSpec,
  RunRequest,
  Runtime,
  RuntimeProgram,
  RuntimeState,
  StreamEnds,
} from './types.ts'

const { SIGKILL } = constants.signals

export interface RuntimeOptions {
  /** Bundles, sockets, pids and exit codes; emptied by a reboot. */
  readonly execRoot: string
  /** PATH of the daemon, where crun, runc, conmon and the small inits are looked for. */
  readonly path: string
  /** True where the daemon lives in a mount namespace of its own (the cgroup v2 tree may be hidden there). */
  readonly ownMountNamespace: boolean
  readonly log: Log
}

/** Finds a runtime that works here (`unavailable` with the cure where there is none) and opens the room. */
export async function openRuntime(options: RuntimeOptions): Promise<Runtime & Disposable> {
  const folders = foldersOf(options.execRoot)
  for (const folder of [folders.state, folders.exits, folders.steps])
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  const monitor = findProgram(options.path, 'conmon')
  if (monitor === undefined)
    throw unavailable('cannot start containers: conmon is not installed; install it (apt-get install conmon)')
  const available = capabilities()
  const profile = defaultSeccomp(
    DEFAULT_CAPABILITIES.filter((name) => available.has(name)),
    machine(),
  )
  const { program, filter } = await findRuntime(options, profile)
  removeStrayCgroups(options.execRoot, Date.now())
  const filters = createSeccompFilters({ ...options, program }, { profile, filter })
  const sealed = program.name === 'crun' ? sealProgram(program.file) : undefined
  const starter = { ...program, file: sealed?.path ?? program.file }
  return new ProgramRuntime({ ...options, folders, monitor, program, starter, sealed, filters, cgroups: cgroupMode() })
}

function machine(): Machine {
  return process.arch === 'arm64' ? 'arm64' : 'x64'
}

interface Parts extends RuntimeOptions {
  readonly folders: Folders
  readonly monitor: string
  readonly program: RuntimeProgram
  /** The same, as it is executed. */
  readonly starter: RuntimeProgram
  readonly sealed: Disposable | undefined
  readonly filters: SeccompFilters
  /** As seen by the daemon now, which may have hidden the v2 tree. */
  readonly cgroups: CgroupMode
}

class ProgramRuntime implements Runtime {
  readonly program: RuntimeProgram
  readonly #parts: Parts
  readonly #exits: Exits
  readonly #freezer: Freezer
  readonly #forewarning = createForewarning()

  constructor(parts: Parts) {
    this.program = parts.program
    this.#parts = parts
    this.#exits = openExits(parts.folders.exits)
    this.#freezer = createFreezer(parts.cgroups)
  }

  forewarn(): void {
    this.#forewarning.give()
  }

  async create(request: RunRequest, stdio: LogTarget): Promise<{ readonly pid: number }> {
    const bundle = this.#bundle(request.id)
    mkdirSync(bundle.folder, { recursive: true, mode: 0o711 })
    rmSync(bundle.exitFile, { force: true })
    // Its environment is nobody else's.
    writeFileSync(bundle.config, JSON.stringify(specOf(request, this.#facts(request))), { mode: 0o600 })
    const { folders, monitor, starter: program, path } = this.#parts
    const terminal = request.process.terminal
    const answer = await startMonitor({ id: request.id, terminal, program, monitor, folders, bundle, stdio, path })
    if ('pid' in answer) return answer
    await this.#remove(request.id, { asking: answer.hangs !== true })
    throw startError('create', {
      root: request.rootfs,
      command: request.process.args[0] ?? '',
      cwd: request.process.cwd,
      message: answer.failure,
      mounts: request.mounts,
    })
  }

  async start(id: string): Promise<void> {
    if (this.program.name === 'crun' && releaseProcess(this.#bundle(id).startFifo)) return
    const { status, stderr } = await this.#run('start', id)
    if (status.code !== 0) throw internal(`cannot start container ${id}: ${stderr.toString('utf8').trim()}`)
  }

  async attach(id: string): Promise<StreamEnds> {
    return attachToMonitor(this.#bundle(id).attachSocket, (rows, columns) => this.resize(id, rows, columns))
  }

  /** conmon takes `1 <rows> <columns>` at its control fifo (conmon, src/ctrl.c). */
  async resize(id: string, rows: number, columns: number): Promise<void> {
    const { controlFifo } = this.#bundle(id)
    if (!existsSync(controlFifo)) return
    writeFifo(controlFifo, `1 ${rows} ${columns}\n`)
  }

  /** conmon takes `2 0 0` there for «open the log again»: a new file is renamed to its path. */
  reopenLog(id: string): boolean {
    return writeFifo(this.#bundle(id).controlFifo, '2 0 0\n')
  }

  async signal(id: string, signal: number, all = false): Promise<void> {
    const pid = this.#livePid(id)
    if (pid === 0) throw notFound('running process of container', id)
    killProcess(all ? -pid : pid, signal)
    // Who froze it need not have been this engine; until it goes on it cannot die.
    if (signal === SIGKILL && this.#freezer.isFrozen(this.cgroupOf(id))) await this.resume(id)
  }

  async pause(id: string): Promise<void> {
    await this.#freezer.set(this.cgroupOf(id), true)
  }

  async resume(id: string): Promise<void> {
    await this.#freezer.set(this.cgroupOf(id), false)
  }

  async exec(id: string, process: ProcessSpec, options: ExecOptions): Promise<ExecProcess> {
    const { folders, starter: program, path } = this.#parts
    if (this.#livePid(id) === 0) throw notFound('running process of container', id)
    const { folder } = this.#bundle(id)
    const place = { id, program, state: folders.state, folder, path }
    return await execIn(place, process, options)
  }

  async state(id: string): Promise<{ readonly state: RuntimeState; readonly pid: number }> {
    const bundle = this.#bundle(id)
    if (this.#exits.find(id)) return { state: 'stopped', pid: 0 }
    if (!existsSync(bundle.folder)) return { state: 'absent', pid: 0 }
    const pid = this.#livePid(id)
    if (pid === 0) return { state: existsSync(bundle.pidFile) ? 'stopped' : 'created', pid: 0 }
    if (existsSync(bundle.startFifo)) return { state: 'created', pid }
    return { state: this.#freezer.isFrozen(this.cgroupOf(id)) ? 'paused' : 'running', pid }
  }

  async wait(id: string): Promise<ProcessExit> {
    const bundle = this.#bundle(id)
    const found = this.#exits.find(id)
    if (found) return found
    if (!existsSync(bundle.config)) throw notFound('container in the runtime', id)
    const stopped = new AbortController()
    const exit = this.#exits.wait(id, stopped.signal)
    const lost = monitorLost(bundle, id)
    const watched = { id, pid: this.#livePid(id), signal: stopped.signal }
    endSilentMonitor(bundle, watched).catch((error: unknown) => {
      if (!stopped.signal.aborted) this.#parts.log.warn('cannot watch a monitor', { id, error: messageOf(error) })
    })
    const first = await Promise.race([exit, lost])
    stopped.abort(new EngineError('cancelled', `monitor of container ${id} ended`))
    if (first) return first
    await exit.catch(() => undefined)
    return await this.#exitWithoutMonitor(id)
  }

  async processes(id: string): Promise<readonly number[]> {
    return processesOf(this.cgroupOf(id))
  }

  async delete(id: string): Promise<void> {
    await this.#remove(id, { asking: true })
  }

  /** A runtime that did not answer is not asked. */
  async #remove(id: string, { asking }: { readonly asking: boolean }): Promise<void> {
    const bundle = this.#bundle(id)
    if (!existsSync(bundle.folder)) return
    if (!existsSync(bundle.pidFile)) await killMakers(id)
    // Of a process that is gone nothing is left that the runtime would have to end: its files go without starting it.
    const isGone = this.#exits.find(id) !== undefined && this.#livePid(id) === 0
    if (isGone || !asking) removeRuntimeState(this.#parts.folders.state, id)
    else await this.#run('delete', '--force', id)
    removeCgroup(this.cgroupOf(id))
    await endMonitor(bundle, id)
    rmSync(bundle.exitFile, { force: true })
    removeBundle(bundle.folder)
  }

  async runStep(request: RunRequest, output: (chunk: OutputChunk) => void, signal?: AbortSignal): Promise<ExitStatus> {
    this.forewarn()
    const spec = specOf(request, this.#facts(request))
    return await runStepIn(this.#steps(), { request, spec, output, signal })
  }

  async removeLeftoverSteps(): Promise<void> {
    await removeStepsIn(this.#steps())
  }

  [Symbol.dispose](): void {
    this.#exits[Symbol.dispose]()
    this.#parts.sealed?.[Symbol.dispose]()
    removeCgroupParents(this.#parts.execRoot)
  }

  cgroupOf(id: string): string {
    return cgroupOf(this.#parts.execRoot, id)
  }

  #bundle(id: string): Bundle {
    return bundleOf(this.#parts.folders, id)
  }

  #steps(): StepPlace {
    const { starter: program, folders, path } = this.#parts
    return { program, state: folders.state, folder: folders.steps, path }
  }

  #livePid(id: string): number {
    const pid = readPid(this.#bundle(id).pidFile)
    return pid > 0 && isInCgroup(pid, this.cgroupOf(id)) ? pid : 0
  }

  #facts(request: RunRequest): HostFacts {
    const init = request.init ? findProgram(this.#parts.path, 'docker-init', 'tini-static', 'catatonit') : undefined
    if (request.init && init === undefined)
      throw unavailable('cannot start a container with --init: no docker-init, tini-static or catatonit is installed')
    const seccomp = seccompOf(request, machine())
    const compiled = seccomp && this.#parts.filters.find(seccomp)
    return {
      cgroups: this.#parts.cgroups,
      machine: machine(),
      ...(compiled !== undefined && { compiledSeccomp: compiled }),
      devices: request.privileged ? hostDevices() : [],
      ...(init !== undefined && { initProgram: init }),
    }
  }

  async #run(...args: readonly string[]): ReturnType<typeof runWatched> {
    const { starter: program, folders, path } = this.#parts
    return await runWatched(program.file, [`--root=${folders.state}`, ...args], path)
  }

  /** Its monitor was killed: the container cannot go on without anybody to read its output, and its code is lost. */
  async #exitWithoutMonitor(id: string): Promise<ProcessExit> {
    const found = this.#exits.find(id)
    if (found) return found
    const pid = this.#livePid(id)
    if (pid > 0) {
      this.#parts.log.warn('the monitor of a container was killed, the container is ended', { id })
      killProcess(pid, SIGKILL)
      await processExited(pid)
    }
    return { code: UNKNOWN_EXIT, at: BigInt(Date.now()) * 1_000_000n }
  }
}

/** The exit code of a container whose monitor died before it. */
const UNKNOWN_EXIT = 255
