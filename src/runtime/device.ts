import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { DeviceRule } from './types.ts'

export interface DeviceNode {
  readonly path: string
  readonly type: 'c' | 'b'
  readonly major: number
  readonly minor: number
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** A rule of the device controller; an absent number stands for all. */
export interface DeviceAccess {
  readonly allow: boolean
  readonly type?: 'a' | 'b' | 'c'
  readonly major?: number
  readonly minor?: number
  readonly access: string
}

const allow = (type: 'b' | 'c', major?: number, minor?: number, access = 'rwm'): DeviceAccess => ({
  allow: true,
  type,
  ...(major !== undefined && { major }),
  ...(minor !== undefined && { minor }),
  access,
})

/** Nothing, but: any node may be made; null, zero, full, random, urandom, tty, console, ptmx and pseudo terminals used. */
export const DEFAULT_DEVICE_ACCESS: readonly DeviceAccess[] = [
  { allow: false, access: 'rwm' },
  allow('c', undefined, undefined, 'm'),
  allow('b', undefined, undefined, 'm'),
  ...[3, 5, 7, 8, 9].map((minor) => allow('c', 1, minor)),
  ...[0, 1, 2].map((minor) => allow('c', 5, minor)),
  allow('c', 136),
]

/** What `--privileged` may use: everything. */
export const FULL_DEVICE_ACCESS: readonly DeviceAccess[] = [{ allow: true, access: 'rwm' }]

/** The rule for a device that was asked for by name. */
export function accessOf(device: DeviceRule): DeviceAccess {
  return allow(device.type, device.major, device.minor, device.access)
}

/** Folders of /dev that the container has its own of. */
const OWN_FOLDERS: ReadonlySet<string> = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev'])
/** Nodes that every container gets anyway. */
const OWN_NODES: ReadonlySet<string> = new Set(['console', 'ptmx', 'null', 'zero', 'full', 'random', 'urandom', 'tty'])

/** The host's device nodes below `folder` (/dev), for `--privileged`. What disappears meanwhile is left out. */
export function hostDevices(folder = '/dev', target = '/dev'): readonly DeviceNode[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const [path, inside] = [join(folder, entry.name), join(target, entry.name)]
    if (entry.isDirectory()) return OWN_FOLDERS.has(entry.name) ? [] : hostDevices(path, inside)
    if (OWN_NODES.has(entry.name) || !(entry.isBlockDevice() || entry.isCharacterDevice())) return []
    return nodeAt(path, inside)
  })
}

function nodeAt(path: string, inside: string): readonly DeviceNode[] {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat || !(stat.isBlockDevice() || stat.isCharacterDevice())) return []
  const type = stat.isBlockDevice() ? 'b' : 'c'
  return [{ path: inside, type, ...deviceNumbers(stat.rdev), mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid }]
}

/** makedev(3) read backwards. */
function deviceNumbers(device: number): { readonly major: number; readonly minor: number } {
  const [high, low] = [Math.floor(device / 2 ** 32), device >>> 0]
  return { major: ((low >>> 8) & 0xfff) | ((high & 0xfffff000) >>> 0), minor: (low & 0xff) | ((low >>> 12) & 0xfff00) }
}
