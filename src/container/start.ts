import { conflict, EngineError, messageOf } from '#base'
import { closeDescriptor, type Mount, processExited } from '#kernel'
import type { Sandbox } from '#network'
import { capabilitiesOf, type ProcessSpec, resolveUser, type RunRequest } from '#runtime'
import { watchExit } from './exit.ts'
import { refreshLinks, startedLinks, variablesOf } from './links.ts'
import { nameFiles } from './name-files.ts'
import { joinNetworks } from './network.ts'
import type { PlannedMount } from '#container/mount'
import { closesInput, emitEvent } from './parts.ts'
import type { Parts } from './parts.ts'
import {
  bindMount,
  clearPlace,
  makeWorkingDir,
  mountRoot,
  openSource,
  type Place,
  placeOf,
  stageMount,
  tmpfsMount,
} from '#container/mount'
import { type ContainerRecord, nextState, processEnv } from '#container/record'
import { releaseRun } from './release.ts'
import { withSharedNetwork } from './shared-network.ts'
import { removeLocked } from './remove.ts'

/** The exit code that a container gets whose start failed for another reason than its command. */
const START_FAILED = 128

/** Starts a container; the caller holds its lock. Undone where it fails, with the reason in the record. */
export async function startLocked(parts: Parts, id: string): Promise<void> {
  const { record } = parts.records.resolve(id)
  refuseStart(record)
  parts.runtime.forewarn()
  parts.records.update(id, { error: '' }, true)
  let launched: Launched
  try {
    launched = await launch(parts, record)
  } catch (error) {
    await undoStart(parts, record, error)
    throw error
  }
  recordStart(parts, record, launched)
  try {
    await refreshLinks(parts, id)
  } catch (error) {
    // One of those that are linked to it went meanwhile; the container runs all the same.
    parts.log.warn('cannot tell linked containers of a start', { id, error: messageOf(error) })
  }
}

function refuseStart(record: ContainerRecord): void {
  switch (record.state) {
    case 'running':
      throw new EngineError('not-modified', `container ${record.id} is already started`)
    case 'paused':
      throw conflict('cannot start a paused container, try unpause instead')
    case 'removing':
    case 'dead':
      throw conflict('container is marked for removal and cannot be started')
    case 'created':
    case 'exited':
    case 'restarting':
  }
}

interface Launched {
  readonly pid: number
  readonly sandbox: Sandbox
}

async function launch(parts: Parts, created: ContainerRecord): Promise<Launched> {
  const record = withSharedNetwork(parts, created)
  const { id } = record
  const links = startedLinks(parts, record)
  const place = placeOf(parts.config.execRoot, id)
  await clearPlace(place)
  const snapshot = await parts.snapshots.reopen(id)
  mountRoot(place, snapshot.mounts, parts.mountPoints)
  makeWorkingDir(place.root, record.workingDir)
  const sandbox = await joinNetworks(parts, record, links)
  const names = await nameFiles(parts, record, { sandbox, links })
  const mounts = parentsFirst([...names, ...(await extraMounts(parts, record, place))])
  const request = runRequest(parts, { record, place, sandbox, mounts })
  const { openStdin } = record.request
  const stdinOnce = closesInput(record.request)
  const logPath = parts.lives.of(id).log && record.logPath
  const { pid } = await parts.runtime.create(request, { logPath, openStdin, stdinOnce })
  await parts.lives.of(id).hub.open()
  await parts.runtime.start(id)
  return { pid, sandbox }
}

/** What is mounted at /etc would else hide the files in it. */
function parentsFirst(mounts: readonly Mount[]): readonly Mount[] {
  const depth = ({ target = '' }: Mount): number => target.split('/').length
  return mounts.toSorted((one, other) => depth(one) - depth(other))
}

async function extraMounts(parts: Parts, record: ContainerRecord, place: Place): Promise<readonly Mount[]> {
  const mounts: Mount[] = []
  for (const mount of record.mounts as readonly PlannedMount[])
    mounts.push(await extraMount(parts, record.id, { mount, place }))
  return mounts
}

async function extraMount(
  parts: Parts,
  id: string,
  { mount, place }: { readonly mount: PlannedMount; readonly place: Place },
): Promise<Mount> {
  if (mount.kind === 'tmpfs') return tmpfsMount(mount)
  if (mount.kind === 'volume' && mount.subpath === undefined)
    return bindMount(await parts.volumes.mount(mount.name ?? '', id), mount)
  const fd = await openSource(mount, { ...parts, folder: place.folder, user: id })
  try {
    return stageMount(place, mount, fd)
  } finally {
    closeDescriptor(fd)
  }
}

interface Launch {
  readonly record: ContainerRecord
  readonly place: Place
  readonly sandbox: Sandbox
  readonly mounts: readonly Mount[]
}

function runRequest(parts: Parts, { record, place, sandbox, mounts }: Launch): RunRequest {
  const { request, id } = record
  return {
    id,
    rootfs: place.root,
    process: processSpec(parts, record, place.root),
    hostname: record.hostname,
    ...(request.domainname !== undefined && { domainname: request.domainname }),
    mounts,
    network: sandbox.path === undefined ? { kind: 'host' } : { kind: 'path', path: sandbox.path },
    privileged: request.privileged,
    readonlyRoot: request.readonlyRoot,
    seccomp: request.privileged ? 'unconfined' : 'default',
    cgroupPath: parts.runtime.cgroupOf(id),
    ...(request.shmSize !== undefined && { shmSize: request.shmSize }),
    init: request.init,
  }
}

function processSpec(parts: Parts, record: ContainerRecord, root: string): ProcessSpec {
  const { request } = record
  return {
    args: [record.path, ...record.args],
    env: processEnv({
      hostname: record.hostname,
      terminal: request.tty,
      links: variablesOf(parts, record),
      env: record.env,
    }),
    cwd: record.workingDir || '/',
    user: resolveUser(root, record.user),
    terminal: request.tty,
    ...(request.consoleSize && { size: request.consoleSize }),
    capabilities: containerCapabilities(parts, record),
  }
}

export function containerCapabilities(parts: Parts, { request }: ContainerRecord): readonly string[] {
  const { privileged, capAdd: add, capDrop: drop } = request
  return capabilitiesOf({ privileged, add, drop }, parts.capabilities)
}

function recordStart(parts: Parts, record: ContainerRecord, { pid, sandbox }: Launched): void {
  const started = parts.records.update(
    record.id,
    {
      state: nextState(record.state, 'started'),
      pid,
      startedAt: parts.clock.nanoseconds(),
      exitCode: 0,
      endpoints: sandbox.endpoints,
      ports: sandbox.ports,
      ...(sandbox.path !== undefined && { sandboxPath: sandbox.path }),
    },
    false,
  )
  emitEvent(parts, 'start', started)
  followRun(parts, record.id, pid)
}

/** Watches a running container: at its end the exit is recorded, and slow readers hold nothing up any more. */
export function followRun(parts: Parts, id: string, pid: number): void {
  const { hub, log } = parts.lives.of(id)
  log?.keep()
  if (pid > 0) {
    processExited(pid, { keepAlive: false }).then(
      () => hub.release(),
      (error: unknown) => parts.log.warn('cannot watch a process', { id, pid, error: messageOf(error) }),
    )
  }
  watchExit(parts, id)
}

async function undoStart(parts: Parts, record: ContainerRecord, error: unknown): Promise<void> {
  const { id } = record
  await releaseRun(parts, id)
  const asked = error instanceof EngineError ? error.details?.['exitCode'] : undefined
  const exitCode = typeof asked === 'number' ? asked : START_FAILED
  parts.records.update(id, { state: nextState(record.state, 'start-failed'), exitCode, error: messageOf(error) }, false)
  parts.lives.of(id).hub.end()
  if (record.request.autoRemove) await removeLocked(parts, id, { volumes: true })
}
