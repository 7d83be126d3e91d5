import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { invalid } from '#base'

/** conmon's attach socket is the longest path below the exec root: `/c/<12 hex>/attach`; a unix socket's path ends at 107 bytes. */
const EXEC_ROOT_LIMIT = 107 - '/c/0123456789ab/attach'.length

/** Where the room keeps its files, all below the exec root (which a reboot empties). */
export interface Folders {
  readonly execRoot: string
  /** The runtime's own state. */
  readonly state: string
  /** conmon writes a file named by the container's id here, with its exit code. */
  readonly exits: string
  readonly steps: string
}

export function foldersOf(execRoot: string): Folders {
  if (Buffer.byteLength(execRoot) > EXEC_ROOT_LIMIT)
    throw invalid(
      `cannot use exec root ${execRoot}: it is longer than ${EXEC_ROOT_LIMIT} bytes, too long for the sockets below it`,
    )
  return {
    execRoot,
    state: join(execRoot, 'oci'),
    exits: join(execRoot, 'exit'),
    steps: join(execRoot, 's'),
  }
}

/** The files of one container. */
export interface Bundle {
  readonly folder: string
  readonly config: string
  readonly attachSocket: string
  readonly controlFifo: string
  readonly pidFile: string
  readonly monitorPidFile: string
  readonly exitFile: string
  /** Exists until the process is started. */
  readonly startFifo: string
}

/** `execRoot/c/<the first 12 digits of the id>`: short, because sockets lie there; also for the container's own mounts. */
function bundleFolder(execRoot: string, id: string): string {
  return join(execRoot, 'c', id.slice(0, 12))
}

export function bundleOf(folders: Folders, id: string): Bundle {
  const folder = bundleFolder(folders.execRoot, id)
  return {
    folder,
    config: join(folder, 'config.json'),
    attachSocket: join(folder, 'attach'),
    controlFifo: join(folder, 'ctl'),
    pidFile: join(folder, 'pid'),
    monitorPidFile: join(folder, 'monitor'),
    exitFile: join(folders.exits, id),
    startFifo: join(folders.state, id, 'exec.fifo'),
  }
}

/** The number in a pid file, 0 where there is none. */
export function readPid(path: string): number {
  if (!existsSync(path)) return 0
  const pid = Number(readFileSync(path, 'utf8').trim())
  return Number.isSafeInteger(pid) && pid > 1 ? pid : 0
}

/** Removes a bundle: files, and folders of execs. Never deeper, so that nothing mounted by mistake is ever emptied. */
export function removeBundle(folder: string): void {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      for (const name of readdirSync(path)) unlinkSync(join(path, name))
      rmdirSync(path)
    } else rmSync(path, { force: true })
  }
  rmdirSync(folder)
}

/** Removes what crun or runc keep of a container whose process is gone: plain files. */
export function removeRuntimeState(state: string, id: string): void {
  rmSync(join(state, id), { recursive: true, force: true })
}
