import { readFileSync } from 'node:fs'
import { type MountEntry, mountTable } from '#kernel/mount'

/** Differs after each boot: what was not synced before may be lost. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

export type CgroupMode = 'v1' | 'v2' | 'hybrid' | 'none'

/** How control groups are mounted here: one v2 tree, v1 controllers, v1 with a v2 tree beside, or not at all. */
export function cgroupMode(mounts: readonly MountEntry[] = mountTable()): CgroupMode {
  const [first, second] = ['cgroup', 'cgroup2'].map((type) => mounts.some((entry) => entry.type === type))
  if (first) return second ? 'hybrid' : 'v1'
  return second ? 'v2' : 'none'
}

/** The effective capabilities of this process («CAP_SYS_ADMIN»…). */
export function capabilities(): ReadonlySet<string> {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))?.[1] ?? '0'
  return parseCapabilities(BigInt(`0x${mask}`))
}

/** The names of the bits of a capability mask; unknown ones are left out. */
export function parseCapabilities(mask: bigint): ReadonlySet<string> {
  return new Set(CAPABILITIES.filter((_, bit) => (mask >> BigInt(bit)) & 1n).map((name) => `CAP_${name}`))
}

/** By bit (include/uapi/linux/capability.h). */
const CAPABILITIES = `
  CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
  NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
  SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
  AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
  PERFMON BPF CHECKPOINT_RESTORE
`
  .trim()
  .split(/\s+/)
