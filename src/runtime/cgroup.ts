import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { engineName, errnoOf } from '#base'
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

/** The control group of a container of the daemon with that exec root, below each controller. */
export function cgroupOf(execRoot: string, id: string): string {
  return `${parentOf(execRoot)}/${id}`
}

function parentOf(execRoot: string): string {
  return `/${engineName(execRoot)}`
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
  return folder === undefined ? [] : pidsIn(folder)
}

/** While a killed process is not reaped its group is busy; tried again so often, and so many milliseconds apart. */
const TRIES = 100
const BETWEEN_TRIES = 100

/** Kills what is left in a control group and removes its folders in all hierarchies; busy ones a little later. */
export function removeCgroup(cgroupPath: string): void {
  for (const folder of cgroupFolders(cgroupPath)) {
    for (const pid of pidsIn(folder)) killProcess(pid, SIGKILL)
  }
  for (const folder of cgroupFolders(cgroupPath)) removeSoon(folder, TRIES)
}

function removeSoon(folder: string, tries: number): void {
  if (!removeEmptyGroup(folder) && tries > 0) setTimeout(() => removeSoon(folder, tries - 1), BETWEEN_TRIES).unref()
}

/** False where it is busy. */
function removeEmptyGroup(folder: string): boolean {
  try {
    rmdirSync(folder)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return true
    if (errnoOf(error) === 'EBUSY' || errnoOf(error) === 'ENOTEMPTY') return false
    throw error
  }
}

/** An empty group of another daemon is one of a container that is being made, for some milliseconds. */
const SETTLED = 60_000

/** Removes the groups without processes that a daemon left which was killed while they were busy. */
export function removeStrayCgroups(execRoot: string, now: number): void {
  for (const parent of cgroupFolders(parentOf(execRoot))) {
    for (const entry of readdirSync(parent, { withFileTypes: true })) {
      const folder = join(parent, entry.name)
      const old = entry.isDirectory() && (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? now) < now - SETTLED
      if (old && pidsIn(folder).length === 0) removeEmptyGroup(folder)
    }
  }
}

function pidsIn(folder: string): readonly number[] {
  try {
    return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENODEV') return []
    throw error
  }
}

/** Removes the folders that all our control groups lie in, where nothing is in them any more. */
export function removeCgroupParents(execRoot: string): void {
  for (const folder of cgroupFolders(parentOf(execRoot))) removeEmptyGroup(folder)
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
