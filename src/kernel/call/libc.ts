import { type Ffi, ffi, lazy, type Memory, type Native } from './ffi.ts'

/** A pointer parameter that C only reads, or that it may write. */
const IN = 'const void *'
const OUT = 'void *'

/** One line a function: its C name, what it gives back, what it takes. */
const PROTOTYPES = {
  mount: ['mount', 'int', [IN, IN, IN, 'ulong', IN]],
  umount2: ['umount2', 'int', [IN, 'int']],
  pivotRoot: ['syscall', 'intptr_t', ['long', IN, IN]],
  execve: ['execve', 'int', ['const char *', 'const char **', 'const char **']],
  chroot: ['chroot', 'int', [IN]],
  fchdir: ['fchdir', 'int', ['int']],
  fsopen: ['syscall', 'intptr_t', ['long', IN, 'uint']],
  fsconfig: ['syscall', 'intptr_t', ['long', 'int', 'uint', IN, IN, 'int']],
  fsmount: ['syscall', 'intptr_t', ['long', 'int', 'uint', 'uint']],
  openTree: ['syscall', 'intptr_t', ['long', 'int', IN, 'uint']],
  moveMount: ['syscall', 'intptr_t', ['long', 'int', IN, 'int', IN, 'uint']],
  mountSetattr: ['syscall', 'intptr_t', ['long', 'int', IN, 'uint', IN, 'size_t']],
  openat: ['openat', 'int', ['int', IN, 'int']],
  createat: ['openat', 'int', ['int', IN, 'int', 'uint']],
  fchmod: ['fchmod', 'int', ['int', 'uint']],
  openat2: ['syscall', 'intptr_t', ['long', 'int', IN, IN, 'size_t']],
  pidfdOpen: ['syscall', 'intptr_t', ['long', 'int', 'uint']],
  pidfdGetfd: ['syscall', 'intptr_t', ['long', 'int', 'int', 'uint']],
  lgetxattr: ['lgetxattr', 'intptr_t', [IN, IN, OUT, 'size_t']],
  lsetxattr: ['lsetxattr', 'int', [IN, IN, IN, 'size_t', 'int']],
  flistxattr: ['flistxattr', 'intptr_t', ['int', OUT, 'size_t']],
  llistxattr: ['llistxattr', 'intptr_t', [IN, OUT, 'size_t']],
  lremovexattr: ['lremovexattr', 'int', [IN, IN]],
  statx: ['syscall', 'intptr_t', ['long', 'int', IN, 'int', 'uint', OUT]],
  linkat: ['linkat', 'int', ['int', IN, 'int', IN, 'int']],
  mknodat: ['mknodat', 'int', ['int', IN, 'uint', 'uint64_t']],
  utimensat: ['utimensat', 'int', ['int', IN, IN, 'int']],
  futimens: ['futimens', 'int', ['int', IN]],
  flock: ['flock', 'int', ['int', 'int']],
  syncfs: ['syncfs', 'int', ['int']],
  copyFileRange: ['copy_file_range', 'intptr_t', ['int', OUT, 'int', OUT, 'size_t', 'uint']],
  splice: ['splice', 'intptr_t', ['int', OUT, 'int', OUT, 'size_t', 'uint']],
  sendfile: ['sendfile', 'intptr_t', ['int', 'int', OUT, 'size_t']],
  poll: ['poll', 'int', [OUT, 'ulong', 'int']],
  setns: ['setns', 'int', ['int', 'int']],
  unshare: ['unshare', 'int', ['int']],
  schedGetaffinity: ['sched_getaffinity', 'int', ['int', 'size_t', OUT]],
  schedSetaffinity: ['sched_setaffinity', 'int', ['int', 'size_t', IN]],
  memfdCreate: ['memfd_create', 'int', [IN, 'uint']],
  pipe2: ['pipe2', 'int', [OUT, 'int']],
  fcntl: ['fcntl', 'int', ['int', 'int', 'long']],
  ioctl: ['ioctl', 'int', ['int', 'ulong', OUT]],
  mallocTrim: ['malloc_trim', 'int', ['size_t']],
  read: ['read', 'intptr_t', ['int', OUT, 'size_t']],
  pread: ['pread', 'intptr_t', ['int', OUT, 'size_t', 'long']],
  write: ['write', 'intptr_t', ['int', IN, 'size_t']],
  close: ['close', 'int', ['int']],
  exit: ['_exit', 'int', ['int']],
  kill: ['kill', 'int', ['int', 'int']],
  waitpid: ['waitpid', 'int', ['int', OUT, 'int']],
  socket: ['socket', 'int', ['int', 'int', 'int']],
  socketpair: ['socketpair', 'int', ['int', 'int', 'int', OUT]],
  connect: ['connect', 'int', ['int', IN, 'uint']],
  bind: ['bind', 'int', ['int', IN, 'uint']],
  listen: ['listen', 'int', ['int', 'int']],
  accept4: ['accept4', 'int', ['int', OUT, OUT, 'int']],
  shutdown: ['shutdown', 'int', ['int', 'int']],
  getsockopt: ['getsockopt', 'int', ['int', 'int', 'int', OUT, OUT]],
  setsockopt: ['setsockopt', 'int', ['int', 'int', 'int', IN, 'uint']],
  recvmsg: ['recvmsg', 'intptr_t', ['int', OUT, 'int']],
  recv: ['recv', 'intptr_t', ['int', OUT, 'size_t', 'int']],
  send: ['send', 'intptr_t', ['int', IN, 'size_t', 'int']],
  spawnp: ['posix_spawnp', 'int', [OUT, 'const char *', IN, IN, 'const char **', 'const char **']],
  actionsInit: ['posix_spawn_file_actions_init', 'int', [OUT]],
  actionsDestroy: ['posix_spawn_file_actions_destroy', 'int', [OUT]],
  actionsDup2: ['posix_spawn_file_actions_adddup2', 'int', [OUT, 'int', 'int']],
  actionsChdir: ['posix_spawn_file_actions_addchdir_np', 'int', [OUT, IN]],
  actionsCloseFrom: ['posix_spawn_file_actions_addclosefrom_np', 'int', [OUT, 'int']],
  attrInit: ['posix_spawnattr_init', 'int', [OUT]],
  attrDestroy: ['posix_spawnattr_destroy', 'int', [OUT]],
  attrFlags: ['posix_spawnattr_setflags', 'int', [OUT, 'short']],
  attrMask: ['posix_spawnattr_setsigmask', 'int', [OUT, IN]],
  attrDefault: ['posix_spawnattr_setsigdefault', 'int', [OUT, IN]],
} as const

type Kinds = { readonly int: number; readonly uint: number; readonly long: number; readonly ulong: number } & {
  readonly short: number
  readonly size_t: number
  readonly intptr_t: number
  readonly uint64_t: number | bigint
  readonly 'const void *': Memory
  readonly 'void *': Memory
  readonly 'const char *': string
  readonly 'const char **': readonly (string | null)[]
}
type Prototype = readonly [string, string, readonly (keyof Kinds)[]]
type Arguments<P extends readonly (keyof Kinds)[]> = { [K in keyof P]: Kinds[P[K]] }

/** Every C function that the project calls, by its name here. */
export type Libc = {
  readonly [Name in Exclude<keyof typeof PROTOTYPES, Optional>]: Native<Arguments<(typeof PROTOTYPES)[Name][2]>>
} & { readonly [Name in Optional]: Native<Arguments<(typeof PROTOTYPES)[Name][2]>> | undefined }

/** Functions that not every C library has. */
type Optional = 'actionsCloseFrom' | 'mallocTrim'
const OPTIONAL: ReadonlySet<string> = new Set<Optional>(['actionsCloseFrom', 'mallocTrim'])

const SYSCALL = lazy((): Libc => {
  const native: Ffi = ffi()
  const library = native.load(null)
  const table = Object.create(null)
  for (const [name, [symbol, result, parameters]] of Object.entries<Prototype>(PROTOTYPES)) {
    const find = lazy(() => {
      if (!OPTIONAL.has(name)) return library.func(symbol, result, parameters)
      try {
        return library.func(symbol, result, parameters)
      } catch {
        return undefined
      }
    })
    Object.defineProperty(table, name, { get: find, enumerable: true })
  }
  return table as Libc
})

/** The functions of the C library, each looked up when first used. */
export function libc(): Libc {
  return SYSCALL()
}

/** Numbers of system calls without a wrapper in every C library; the same on all 64-bit machines. */
export const NUMBER = {
  statx: process.arch === 'x64' ? 332 : 291,
  pivotRoot: process.arch === 'x64' ? 155 : 41,
  openTree: 428,
  moveMount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  pidfdOpen: 434,
  openat2: 437,
  pidfdGetfd: 438,
  mountSetattr: 442,
} as const

export const AT_FDCWD = -100
export const AT_SYMLINK_NOFOLLOW = 0x100
export const AT_EMPTY_PATH = 0x1000
export const AT_RECURSIVE = 0x8000
export const O_PATH = 0x200000
export const O_CLOEXEC = 0x80000

/** A path as C wants it. Buffers carry names that are not UTF-8. */
export function cString(text: string | Uint8Array): Buffer {
  if (typeof text === 'string') return Buffer.from(`${text}\0`)
  const bytes = Buffer.alloc(text.length + 1)
  bytes.set(text)
  return bytes
}
