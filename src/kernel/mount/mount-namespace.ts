import { closeSync, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import {
  AT_FDCWD,
  AT_RECURSIVE,
  checked,
  closeDescriptor,
  cString,
  descriptorPath,
  isErrno,
  libc,
  NUMBER,
  O_CLOEXEC,
  openRoot,
  setCloseOnExec,
} from '#kernel/call'
import { MS } from './mount-options.ts'
import { attachMount, moveMount, setPropagation, unmountSync } from './mount.ts'
import { mountTable } from './mount-table.ts'

const CLONE_FS = 0x200
const CLONE_NEWNS = 0x20000
const MNT_DETACH = 2
const OPEN_TREE_CLONE = 1

/** The environment variable by which the re-executed program learns of the host's namespace; for `openHostMounts`. */
export const HOST_VARIABLE = 'MICA_HOST_MOUNTS'

/**
 * Replaces this process by `file args`, in a mount namespace of its own that is pinned at `pin` (a file; its folder becomes
 * a private mount): the first daemon makes it, its successors re-enter it and see the mounts made there. Host mounts
 * spread in where the host shares them, nothing spreads out. Works below a chroot. To be called on the main thread,
 * before anything else is open: other threads end, descriptors above 2 are closed.
 */
export function reexecuteInMountNamespace(options: {
  readonly pin: string
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}): never {
  const host = enterMountNamespace(options.pin)
  const env = { ...options.env, [HOST_VARIABLE]: `${host.namespace}:${host.root}` }
  for (const fd of [0, 1, 2, host.namespace, host.root]) setCloseOnExec(fd, false)
  const assignments = Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))
  libc().execve(options.file, [options.file, ...options.args, null], [...assignments, null])
  checked(-1, { call: 'execute', path: options.file })
  return process.abort()
}

/** Takes the pin of `reexecuteInMountNamespace` away, in the namespace where it was made. Fine where there is none. */
export function unpinMountNamespace(pin: string): void {
  unmountSync(pin, { detach: true, ifMounted: true })
  unmountSync(dirname(pin), { detach: true, ifMounted: true })
}

/** Makes another mount namespace this thread's own; `root` (of that namespace) becomes its root and current folder. */
export function joinMountNamespace(namespace: number, root: number | undefined): void {
  // The kernel refuses it to a thread that shares root and current folder with others.
  checked(libc().unshare(CLONE_FS), { call: 'leave the shared root folder' })
  checked(libc().setns(namespace, CLONE_NEWNS), { call: 'enter mount namespace', path: String(namespace) })
  if (root === undefined) return
  checked(libc().fchdir(root), { call: 'change to the root folder' })
  checked(libc().chroot(cString('.')), { call: 'change root' })
}

function enterMountNamespace(pin: string): HostPlace {
  const cwd = process.cwd()
  const host = { namespace: openSync('/proc/thread-self/ns/mnt', 'r'), root: openRoot('/') }
  if (isPinned(pin)) {
    const fd = openSync(pin, 'r')
    joinMountNamespace(fd, undefined)
    closeSync(fd)
  } else {
    preparePin(pin)
    makePinnedNamespace(pin, host)
  }
  if (existsSync(cwd)) process.chdir(cwd)
  return host
}

interface HostPlace {
  readonly namespace: number
  readonly root: number
}

/**
 * Makes and pins a namespace. The kernel pins only one that is newer than the namespace it is pinned in, by an id that it
 * hands out in batches per CPU (Linux 6.18): one made here may seem older than a namespace made before on another CPU
 * (EINVAL). On the CPU where that one was made it is newer for certain, so each is tried.
 */
function makePinnedNamespace(pin: string, host: HostPlace): void {
  const before = Buffer.alloc(CPU_SET_BYTES)
  checked(libc().schedGetaffinity(0, CPU_SET_BYTES, before), { call: 'read the CPU set' })
  const cpus = cpusOf(before)
  try {
    for (const [index, cpu] of cpus.entries()) {
      moveToCpus(cpuSet(cpu))
      makeMountNamespace()
      if (keepMountNamespace(pin, host, index < cpus.length - 1)) return
      joinMountNamespace(host.namespace, host.root)
    }
  } finally {
    moveToCpus(before)
  }
}

/** Room for 1024 CPUs, as glibc's cpu_set_t has. */
const CPU_SET_BYTES = 128

function cpusOf(set: Buffer): readonly number[] {
  return Array.from({ length: CPU_SET_BYTES * 8 }, (_, cpu) => cpu).filter(
    (cpu) => ((set[cpu >> 3] ?? 0) >> (cpu & 7)) & 1,
  )
}

function cpuSet(cpu: number): Buffer {
  const set = Buffer.alloc(CPU_SET_BYTES)
  set[cpu >> 3] = 1 << (cpu & 7)
  return set
}

function moveToCpus(set: Buffer): void {
  checked(libc().schedSetaffinity(0, CPU_SET_BYTES, set), { call: 'set the CPU set' })
}

function isPinned(pin: string): boolean {
  return mountTable().some((entry) => entry.target === pin && entry.type === 'nsfs')
}

/**
 * A mount namespace can only be pinned on a private mount, else the pin would spread into the namespace itself. Unbindable
 * is private too, and left out of clones: a tree with a pin in it (`-v /:/host`) can be attached nowhere (ELOOP).
 */
function preparePin(pin: string): void {
  const folder = dirname(pin)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (!mountTable().some((entry) => entry.target === folder)) {
    attachMount({ type: 'bind', source: folder, options: ['bind'] }, folder)
  }
  setPropagation(folder, MS.unbindable, false)
  writeFileSync(pin, '', { mode: 0o600 })
}

/**
 * A new namespace whose root is a copy of the tree below our root: setns enters a namespace at its real root, so a
 * successor that lives in the same chroot would else find itself outside of it.
 */
function makeMountNamespace(): void {
  checked(libc().unshare(CLONE_NEWNS), { call: 'make a mount namespace' })
  const flags = (OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE) >>> 0
  const tree = checked(libc().openTree(NUMBER.openTree, AT_FDCWD, cString('/'), flags), { call: 'clone the root' })
  const place = openRoot('/proc')
  const own = openSync('/proc/thread-self/ns/mnt', 'r')
  moveMount(tree, descriptorPath(place))
  joinMountNamespace(own, undefined)
  checked(libc().fchdir(tree), { call: 'change to the new root' })
  checked(libc().pivotRoot(NUMBER.pivotRoot, cString('.'), cString('.')), { call: 'change root to the copy' })
  checked(libc().umount2(cString('.'), MNT_DETACH), { call: 'leave the former root' })
  for (const fd of [tree, place, own]) closeDescriptor(fd)
  process.chdir('/')
  setPropagation('/', MS.slave, true)
}

/** Runs a section of a thread that has unshared CLONE_FS in a copy of the host's namespace, and goes back. */
export function withCopiedNamespace<T>(host: HostPlace, section: () => T): T {
  checked(libc().unshare(CLONE_NEWNS), { call: 'make a mount namespace' })
  try {
    return section()
  } finally {
    joinMountNamespace(host.namespace, host.root)
  }
}

/** False where the kernel takes it for too old and `again` says that another will be made. */
function keepMountNamespace(pin: string, host: HostPlace, again: boolean): boolean {
  const own = openSync('/proc/thread-self/ns/mnt', 'r')
  try {
    joinMountNamespace(host.namespace, host.root)
    const source = cString(descriptorPath(own))
    checked(libc().mount(source, cString(pin), null, MS.bind, null), { call: 'pin mount namespace at', path: pin })
    return true
  } catch (error) {
    if (again && isErrno(error, 'EINVAL')) return false
    throw error
  } finally {
    joinMountNamespace(own, undefined)
    closeSync(own)
  }
}
