import { invalid } from '#base'

/** capabilities(7), in the order of their numbers. */
export const CAPABILITIES: readonly string[] = [
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE',
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN',
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE',
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE',
].flatMap((line) => line.split(' ').map((name) => `CAP_${name}`))

/** What Docker gives a container that asks for nothing. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
]

export interface CapabilityRequest {
  readonly privileged: boolean
  /** Names with or without CAP_, in any case, or ALL. */
  readonly add: readonly string[]
  readonly drop: readonly string[]
}

/**
 * The capabilities of a container, by Docker's rules: ALL in `add` begins with every one and takes `drop` away, ALL in
 * `drop` begins with none and gives `add`, else the fourteen defaults change by both. What the daemon does not have
 * itself (`available`) is left out. Throws `invalid` for an unknown name, in Docker's words.
 */
export function capabilitiesOf(request: CapabilityRequest, available: ReadonlySet<string>): readonly string[] {
  const [add, drop] = [normalize(request.add, 'CapAdd'), normalize(request.drop, 'CapDrop')]
  if (request.privileged) return CAPABILITIES.filter((name) => available.has(name))
  const first = startingSet(add, drop)
  const wanted = new Set([...first, ...add.filter((name) => name !== ALL)])
  if (!drop.includes(ALL)) for (const name of drop) wanted.delete(name)
  return CAPABILITIES.filter((name) => wanted.has(name) && available.has(name))
}

const ALL = 'ALL'

function startingSet(add: readonly string[], drop: readonly string[]): readonly string[] {
  if (add.includes(ALL)) return CAPABILITIES
  return drop.includes(ALL) ? [] : DEFAULT_CAPABILITIES
}

function normalize(names: readonly string[], member: string): readonly string[] {
  return names.map((name) => {
    const upper = name.toUpperCase()
    if (upper === ALL) return ALL
    const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`
    if (!CAPABILITIES.includes(full)) throw invalid(`invalid ${member}: unknown capability: "${full}"`)
    return full
  })
}
