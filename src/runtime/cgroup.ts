import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '#base'
import {
  attachMount,
  type CgroupMode,
  cloneMount,
  closeDescriptor,
  killProcess,
  mountTable,
  moveMount,
  unmount,
} from '#kernel'

const ROOT = '/sys/fs/cgroup'
const UNIFIED = `${ROOT}/unified`
const SIGKILL = 9
const PARENT = '/mica'

/** The control group of a container, below each controller. */
export function cgroupOf(id: string): string {
  return `${PARENT}/${id}`
}

/** The freezer of one container, written directly: no process is started for a pause. */
export interface Freezer {
  isFrozen(cgroupPath: string): boolean
  /** Resolves once every process stands still, or runs again. */
  set(cgroupPath: string, frozen: boolean): Promise<void>
}

/** Attempts, a millisecond apart at first, until a freezer has done what it was told: about five seconds. */
const ATTEMPTS = 100

export function createFreezer(cgroups: CgroupMode): Freezer {
  const file = cgroups === 'v2' ? V2_FREEZER : V1_FREEZER
  const isFrozen = (path: string): boolean => {
    const state = join(file.folder, path, file.state)
    return existsSync(state) && file.frozen.test(readFileSync(state, 'utf8'))
  }
  return {
    isFrozen,
    async set(path, frozen) {
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        // Written again each time: the v1 freezer may need several goes while processes fork.
        writeFileSync(join(file.folder, path, file.control), frozen ? file.freeze : file.thaw)
        if (isFrozen(path) === frozen) return
        await new Promise((resolve) => setTimeout(resolve, Math.min(50, attempt)))
      }
      throw new Error(`cannot ${frozen ? 'freeze' : 'thaw'} ${path}: its processes do not answer`)
    },
  }
}

const V1_FREEZER = {
  folder: `${ROOT}/freezer`,
  control: 'freezer.state',
  state: 'freezer.state',
  freeze: 'FROZEN',
  thaw: 'THAWED',
  frozen: /^FROZEN/,
}

const V2_FREEZER = {
  folder: ROOT,
  control: 'cgroup.freeze',
  state: 'cgroup.events',
  freeze: '1',
  thaw: '0',
  frozen: /^frozen 1$/m,
}

/** True where the process is one of the control group (so its number was not given to another meanwhile). */
export function isInCgroup(pid: number, cgroupPath: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`:${cgroupPath}`)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return false
    throw error
  }
}

/** The pids of a control group. */
export function processesOf(cgroupPath: string): readonly number[] {
  const [folder] = cgroupFolders(cgroupPath)
  if (folder === undefined) return []
  return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
}

/** Kills what is left in a control group and removes its folders in all hierarchies. */
export function removeCgroup(cgroupPath: string): void {
  for (const folder of cgroupFolders(cgroupPath)) {
    for (const pid of readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean))
      killProcess(Number(pid), SIGKILL)
  }
  for (const folder of cgroupFolders(cgroupPath)) {
    try {
      rmdirSync(folder)
    } catch (error) {
      // Killed a moment ago and not reaped yet: the kernel lets go of it later, an empty group costs nothing.
      if (errnoOf(error) !== 'EBUSY' && errnoOf(error) !== 'ENOENT') throw error
    }
  }
}

/** Removes the folders that all our control groups lie in, where nothing is in them any more. */
export function removeCgroupParents(): void {
  for (const folder of cgroupFolders(PARENT)) {
    try {
      rmdirSync(folder)
    } catch (error) {
      if (!['EBUSY', 'ENOENT', 'ENOTEMPTY'].includes(errnoOf(error) ?? '')) throw error
    }
  }
}

function cgroupFolders(cgroupPath: string): readonly string[] {
  const roots = [ROOT, ...readdirSync(ROOT).map((name) => join(ROOT, name))]
  return roots.map((root) => join(root, cgroupPath)).filter((folder) => existsSync(join(folder, 'cgroup.procs')))
}

/**
 * Takes the v2 tree of a hybrid machine out of the daemon's own mount namespace, where it hinders crun before 1.9. The folder
 * it lay on goes too, else crun would make plain files there: a folder with the v1 controllers alone is put over all.
 * Never called in the host's namespace.
 */
export async function prepareCgroupView(scratch: string): Promise<void> {
  mkdirSync(scratch, { recursive: true })
  attachMount({ type: 'tmpfs', source: 'cgroup', options: ['mode=755', 'nosuid', 'nodev', 'noexec'] }, scratch)
  for (const entry of readdirSync(ROOT, { withFileTypes: true })) {
    const [from, to] = [join(ROOT, entry.name), join(scratch, entry.name)]
    if (entry.isSymbolicLink()) symlinkSync(readlinkSync(from), to)
    else if (entry.isDirectory() && from !== UNIFIED) {
      mkdirSync(to)
      attachMount({ type: 'bind', source: from, options: ['bind'] }, to)
    }
  }
  await unmount(UNIFIED)
  const view = cloneMount(scratch, { recursive: true })
  try {
    moveMount(view, ROOT)
  } finally {
    closeDescriptor(view)
  }
  await unmount(scratch, { detach: true })
  rmdirSync(scratch)
}

/** True where a v2 tree is seen beside v1 controllers. */
export function hasUnifiedTree(): boolean {
  return existsSync(join(UNIFIED, 'cgroup.procs')) && mountTable().some((entry) => entry.target === UNIFIED)
}
