import { existsSync } from 'node:fs'
import { conflict, longId, notFound } from '#base'
import { isErrno } from '#kernel'
import { placeOf } from '#container/mount'
import { resolveUser } from '#runtime'
import type { ExecProcess, ProcessSpec, ProcessUser } from '#runtime'
import {
  checkNul,
  type ContainerRecord,
  type ExecRecord,
  type ExecRequest,
  type ExecStartOptions,
  overlayEnv,
  processEnv,
} from '#container/record'
import { variablesOf } from './links.ts'
import { emitEvent } from './parts.ts'
import type { Parts } from './parts.ts'
import { containerCapabilities } from './start.ts'

/** How long an exec that has ended can still be looked at, and one that was made can wait for its start. Milliseconds. */
const KEPT = 5 * 60_000

interface KnownExec {
  record: ExecRecord
  process?: ExecProcess
}

/** More processes in running containers; known until a while after their end, or until the daemon's. */
export interface Execs {
  create(name: string, request: ExecRequest): Promise<string>
  start(id: string, options: ExecStartOptions): Promise<ExecProcess>
  resize(id: string, rows: number, columns: number): Promise<void>
  get(id: string): Promise<ExecRecord>
  /** Ids of the execs of a container that have not ended. */
  of(container: string): readonly string[]
}

/** Docker's words: a command without arguments is followed by the blank before them too. */
function execAction(action: string, [program, ...args]: readonly string[]): string {
  return `${action}: ${program ?? ''} ${args.join(' ')}`
}

export function createExecs(parts: Parts): Execs {
  const known = new Map<string, KnownExec>()
  const get = (id: string): KnownExec => {
    const exec = known.get(id)
    if (!exec) throw notFound('exec instance', id)
    return exec
  }
  const finish = (exec: KnownExec, exitCode: number): void => {
    exec.record = { ...exec.record, running: false, pid: 0, exitCode }
    // Its streams are not kept with what can be looked at.
    delete exec.process
    setTimeout(() => known.delete(exec.record.id), KEPT).unref()
  }
  return {
    async create(name, request) {
      const record = runningContainer(parts, name)
      // Said now, and not as output of the start.
      check(parts, record, request)
      parts.runtime.forewarn()
      const id = longId()
      const exec: KnownExec = {
        record: { id, container: record.id, request, running: false, pid: 0, exitCode: undefined },
      }
      known.set(id, exec)
      setTimeout(() => {
        if (isWaiting(exec)) known.delete(id)
      }, KEPT).unref()
      emitEvent(parts, execAction('exec_create', request.command), record, { execID: id })
      return id
    },
    async start(id, options) {
      const exec = get(id)
      if (!isWaiting(exec)) throw conflict(`exec command ${id} has already run`)
      const { request } = exec.record
      exec.record = { ...exec.record, running: true }
      try {
        const record = runningContainer(parts, exec.record.container)
        emitEvent(parts, execAction('exec_start', request.command), record, { execID: id })
        const process = await parts.runtime.exec(record.id, processSpec(parts, record, request, options), {
          stdin: request.stdin && !options.detach,
          detach: options.detach,
          rootfs: rootOf(parts, record),
        })
        exec.process = process
        exec.record = { ...exec.record, pid: process.pid }
        void process.exited.then(({ code }) => {
          finish(exec, code)
          emitEvent(parts, 'exec_die', record, { execID: id, exitCode: String(code) })
        })
        return process
      } catch (error) {
        finish(exec, exitCodeOf(error))
        throw error
      }
    },
    async resize(id, rows, columns) {
      await get(id).process?.resize(rows, columns)
    },
    get: async (id) => get(id).record,
    of: (container) => openOf(known.values(), container),
  }
}

function openOf(known: Iterable<KnownExec>, container: string): readonly string[] {
  const open = [...known].filter(({ record }) => record.container === container && record.exitCode === undefined)
  return open.map(({ record }) => record.id)
}

function isWaiting({ record }: KnownExec): boolean {
  return !record.running && record.exitCode === undefined
}

/** As a shell's for a command that cannot be run. */
const NOT_STARTED = 126

function exitCodeOf(error: unknown): number {
  if (!(error instanceof Error) || !('details' in error)) return NOT_STARTED
  const { details } = error
  if (typeof details !== 'object' || details === null || !('exitCode' in details)) return NOT_STARTED
  return typeof details.exitCode === 'number' ? details.exitCode : NOT_STARTED
}

function runningContainer(parts: Parts, name: string): ContainerRecord {
  const { record } = parts.records.resolve(name)
  if (record.state === 'paused') throw conflict(`Container ${name} is paused, unpause the container before exec`)
  if (record.state !== 'running') throw conflict(`container ${record.id} is not running`)
  return record
}

/** Throws where it could not be started as asked for. */
function check(parts: Parts, record: ContainerRecord, request: ExecRequest): void {
  checkNul('command', request.command)
  checkNul('environment variable', request.env)
  checkNul('working directory', [request.workingDir])
  userOf(parts, record, request)
}

/** Its own files, without what is mounted over them in the container: a file system there may hang. */
function rootOf(parts: Parts, { id }: ContainerRecord): string {
  return placeOf(parts.config.execRoot, id).root
}

/** As Docker, by the files of its own root alone. */
function userOf(parts: Parts, record: ContainerRecord, request: ExecRequest): ProcessUser {
  try {
    return resolveUser(rootOf(parts, record), request.user || record.user)
  } catch (error) {
    // Its process has ended, and the record does not say so yet.
    if (isErrno(error, 'ENOENT') || !existsSync(`/proc/${record.pid}`))
      throw conflict(`container ${record.id} is not running`, { cause: error })
    throw error
  }
}

function processSpec(
  parts: Parts,
  record: ContainerRecord,
  request: ExecRequest,
  options: ExecStartOptions,
): ProcessSpec {
  const terminal = request.tty
  const links = variablesOf(parts, record)
  const env = processEnv({ hostname: record.hostname, terminal, links, env: record.env })
  return {
    args: request.command,
    env: overlayEnv(env, request.env),
    cwd: request.workingDir || record.workingDir || '/',
    user: userOf(parts, record, request),
    terminal,
    ...(options.size && { size: options.size }),
    capabilities: request.privileged
      ? containerCapabilities(parts, { ...record, request: { ...record.request, privileged: true } })
      : containerCapabilities(parts, record),
  }
}
