import type { CgroupMode, Mount } from '#kernel'
import { accessOf, DEFAULT_DEVICE_ACCESS, FULL_DEVICE_ACCESS } from './device.ts'
import type { DeviceNode } from './device.ts'
import { MASKED_PATHS, READONLY_PATHS } from './masked-path.ts'
import { defaultSeccomp } from './seccomp.ts'
import type { SeccompProfile } from './seccomp.ts'
import type { Machine } from './seccomp-calls.ts'
import type { ProcessSpec, RunRequest } from './types.ts'

/** What the machine is and has. */
export interface HostFacts {
  readonly cgroups: CgroupMode
  readonly machine: Machine
  /** The nodes of /dev, only looked at for a privileged container. */
  readonly devices: readonly DeviceNode[]
  /** A static init (tini, docker-init, catatonit) for `init`. */
  readonly initProgram?: string
  /** The default rules for this request's capabilities, compiled, in base64. */
  readonly compiledSeccomp?: string
}

/** Where the tiny init is seen in a container, as with Docker. */
export const INIT_TARGET = '/sbin/docker-init'

/** Bytes of /dev/shm where nothing else is asked for. */
const SHM_SIZE = 64 << 20

/** The OCI runtime spec (runtime-spec 1.0, config.md) of a request. Pure. */
export function specOf(request: RunRequest, facts: HostFacts): object {
  const useInit = request.init === true && facts.initProgram !== undefined
  const args = useInit ? [INIT_TARGET, '--', ...request.process.args] : request.process.args
  return {
    ociVersion: '1.0.2',
    process: processOf({ ...request.process, args }),
    root: { path: request.rootfs, readonly: request.readonlyRoot },
    hostname: request.hostname,
    mounts: mountsOf(request, facts, useInit),
    linux: linuxOf(request, facts),
    // crun takes it in place of the rules (crun(1)); others do not know it, and take the rules.
    ...(facts.compiledSeccomp !== undefined && { annotations: { [COMPILED]: facts.compiledSeccomp } }),
  }
}

const COMPILED = 'run.oci.seccomp_bpf_data'

/** The process of a container or of an exec (config.md, «Process»). */
export function processOf(process: ProcessSpec): object {
  const bounding = process.capabilities
  const active = process.user.uid === 0 ? bounding : []
  return {
    terminal: process.terminal,
    ...(process.terminal &&
      process.size && { consoleSize: { height: process.size.rows, width: process.size.columns } }),
    user: { uid: process.user.uid, gid: process.user.gid, additionalGids: process.user.additionalGids },
    args: process.args,
    env: withHome(process.env, process.user.home),
    cwd: process.cwd,
    capabilities: { bounding, effective: active, permitted: active, inheritable: [], ambient: [] },
    noNewPrivileges: process.noNewPrivileges === true,
  }
}

/** The runtimes differ in what they do where the user is in no passwd file. */
function withHome(env: readonly string[], home: string | undefined): readonly string[] {
  return home === undefined || env.some((entry) => entry.startsWith('HOME=')) ? env : [...env, `HOME=${home}`]
}

interface SpecMount {
  readonly destination: string
  readonly type: string
  readonly source: string
  readonly options: readonly string[]
}

function mountsOf(request: RunRequest, facts: HostFacts, useInit: boolean): readonly SpecMount[] {
  const wanted = request.mounts.map(toSpecMount)
  const taken = new Set(wanted.map((mount) => mount.destination))
  const init = useInit ? [initMount(facts.initProgram ?? '')] : []
  return [...standardMounts(request).filter((mount) => !taken.has(mount.destination)), ...wanted, ...init]
}

function initMount(program: string): SpecMount {
  return { destination: INIT_TARGET, type: 'bind', source: program, options: ['bind', 'ro', 'rprivate'] }
}

/** Docker's own mounts, in its order. */
function standardMounts(request: RunRequest): readonly SpecMount[] {
  const still = ['nosuid', 'noexec', 'nodev']
  const access = request.privileged ? 'rw' : 'ro'
  const shm = `size=${request.shmSize ?? SHM_SIZE}`
  return [
    at('/proc', 'proc', still),
    at('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    at('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
    at('/sys', 'sysfs', [...still, access]),
    at('/sys/fs/cgroup', 'cgroup', [...still, access]),
    at('/dev/mqueue', 'mqueue', still),
    at('/dev/shm', 'tmpfs', [...still, 'mode=1777', shm], 'shm'),
  ]
}

function at(destination: string, type: string, options: readonly string[], source = type): SpecMount {
  return { destination, type, source, options }
}

function toSpecMount(mount: Mount): SpecMount {
  return { destination: mount.target ?? '/', type: mount.type, source: mount.source, options: mount.options }
}

function linuxOf(request: RunRequest, facts: HostFacts): object {
  const open = request.privileged
  const seccomp = seccompOf(request, facts.machine)
  return {
    namespaces: namespacesOf(request, facts),
    cgroupsPath: request.cgroupPath,
    resources: {
      devices: open ? FULL_DEVICE_ACCESS : [...DEFAULT_DEVICE_ACCESS, ...(request.devices ?? []).map(accessOf)],
    },
    sysctl: sysctlsOf(request),
    maskedPaths: open ? [] : MASKED_PATHS,
    readonlyPaths: open ? [] : READONLY_PATHS,
    ...((open || request.devices) && { devices: devicesOf(request, facts) }),
    ...(seccomp && { seccomp }),
  }
}

/** The rules of a request; undefined where it is unconfined. */
export function seccompOf(request: RunRequest, machine: Machine): SeccompProfile | undefined {
  if (request.seccomp !== 'default' || request.privileged) return undefined
  return defaultSeccomp(request.process.capabilities, machine)
}

function devicesOf(request: RunRequest, facts: HostFacts): readonly object[] {
  const asked = (request.devices ?? []).map(({ path, type, major, minor }) => ({
    path,
    type,
    major,
    minor,
    mode: 0o666,
  }))
  const all = request.privileged ? facts.devices : []
  return [
    ...all.map(({ path, type, major, minor, mode, uid, gid }) => ({
      path,
      type,
      major,
      minor,
      fileMode: mode,
      uid,
      gid,
    })),
    ...asked.map(({ mode, ...device }) => ({ ...device, fileMode: mode })),
  ]
}

/** As Docker: a cgroup namespace only where cgroups are v2 alone. */
function namespacesOf(request: RunRequest, facts: HostFacts): readonly object[] {
  const own = ['mount', 'pid', 'ipc', 'uts', ...(facts.cgroups === 'v2' && !request.privileged ? ['cgroup'] : [])]
  const network = request.network.kind === 'path' ? [{ type: 'network', path: request.network.path }] : []
  return [...own.map((type) => ({ type })), ...network]
}

/** In a network of its own a container may use low ports and ping without being root, as with Docker. */
function sysctlsOf(request: RunRequest): Readonly<Record<string, string>> {
  return {
    ...(request.domainname && { 'kernel.domainname': request.domainname }),
    ...(request.network.kind === 'path' && {
      'net.ipv4.ip_unprivileged_port_start': '0',
      'net.ipv4.ping_group_range': '0 2147483647',
    }),
  }
}
