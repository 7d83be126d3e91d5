/** Flags of mount(2) (include/uapi/linux/mount.h). */
export const MS = {
  rdonly: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  synchronous: 16,
  remount: 32,
  noatime: 1024,
  nodiratime: 2048,
  bind: 4096,
  rec: 16384,
  unbindable: 1 << 17,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
  relatime: 1 << 21,
  strictatime: 1 << 24,
} as const

/** Attributes of fsmount and mount_setattr. */
const ATTR = {
  rdonly: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  atimeMask: 0x70,
  noatime: 0x10,
  strictatime: 0x20,
  nodiratime: 0x80,
  nosymfollow: 0x200000,
} as const

/** Options of a mount, sorted by whom they are for. */
export interface MountOptions {
  /** For mount(2). */
  readonly flags: number
  /** For fsmount and mount_setattr: bits to set, bits to clear. */
  readonly set: number
  readonly clear: number
  /** MS_PRIVATE … or 0, and whether it holds for the whole tree. */
  readonly propagation: number
  readonly propagationRecursive: boolean
  readonly recursive: boolean
  /** The attributes hold for the mounts below too (`rro`). */
  readonly attributesRecursive: boolean
  /** What belongs to the file system itself («size=64m»). */
  readonly data: readonly string[]
}

type Effect = { readonly flags?: number; readonly unflag?: number; readonly set?: number; readonly clear?: number }

const EFFECTS: Readonly<Record<string, Effect>> = {
  defaults: {},
  ro: { flags: MS.rdonly, set: ATTR.rdonly },
  rro: { flags: MS.rdonly, set: ATTR.rdonly },
  rw: { unflag: MS.rdonly, clear: ATTR.rdonly },
  nosuid: { flags: MS.nosuid, set: ATTR.nosuid },
  suid: { unflag: MS.nosuid, clear: ATTR.nosuid },
  nodev: { flags: MS.nodev, set: ATTR.nodev },
  dev: { unflag: MS.nodev, clear: ATTR.nodev },
  noexec: { flags: MS.noexec, set: ATTR.noexec },
  exec: { unflag: MS.noexec, clear: ATTR.noexec },
  sync: { flags: MS.synchronous },
  noatime: { flags: MS.noatime, set: ATTR.noatime, clear: ATTR.atimeMask },
  relatime: { flags: MS.relatime, clear: ATTR.atimeMask },
  strictatime: { flags: MS.strictatime, set: ATTR.strictatime, clear: ATTR.atimeMask },
  nodiratime: { flags: MS.nodiratime, set: ATTR.nodiratime },
  nosymfollow: { set: ATTR.nosymfollow },
  bind: { flags: MS.bind },
  rbind: { flags: MS.bind | MS.rec },
}

const PROPAGATION: Readonly<Record<string, number>> = { private: MS.private, slave: MS.slave, shared: MS.shared }

/** Reads options as the OCI runtime specification and mount(8) name them; unknown ones are data of the file system. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  let [flags, set, clear, propagation, propagationRecursive] = [0, 0, 0, 0, false]
  const data: string[] = []
  for (const option of options) {
    const effect = Object.hasOwn(EFFECTS, option) ? EFFECTS[option] : undefined
    const plain = option.replace(/^r(?=private|slave|shared)/, '')
    if (effect) {
      flags = (flags | (effect.flags ?? 0)) & ~(effect.unflag ?? 0)
      clear |= effect.clear ?? 0
      set = (set & ~(effect.clear ?? 0)) | (effect.set ?? 0)
    } else if (Object.hasOwn(PROPAGATION, plain)) {
      propagation = PROPAGATION[plain] ?? 0
      propagationRecursive = plain !== option
    } else {
      data.push(option)
    }
  }
  const recursive = (flags & MS.rec) !== 0
  return {
    flags,
    set,
    clear,
    propagation,
    propagationRecursive,
    recursive,
    attributesRecursive: options.includes('rro'),
    data,
  }
}
