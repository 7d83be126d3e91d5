import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf } from '#base'
import type { Mount } from '#kernel'

const POINT_FOLDERS = ['dev', 'proc', 'sys', 'etc'] as const
const POINT_FILES = ['etc/hosts', 'etc/hostname', 'etc/resolv.conf'] as const
const LOWER = 'lowerdir+='

/**
 * Makes the folder that lies below all layers of a root while something runs in it: it holds the places on which the runtime
 * mounts its own things, so that it never makes them in the writable layer, and what programs look for in a container of Docker's:
 * by `/.dockerenv` they know that they run in one. Idempotent. Should be on the layers' disk.
 */
export function makeMountPoints(folder: string): void {
  for (const name of POINT_FOLDERS) mkdirSync(join(folder, name), { recursive: true, mode: 0o755 })
  for (const name of POINT_FILES) writeFileSync(join(folder, name), '', { flag: 'a', mode: 0o644 })
  writeFileSync(join(folder, '.dockerenv'), '', { flag: 'a', mode: 0o755 })
  try {
    symlinkSync('/proc/mounts', join(folder, 'etc/mtab'))
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  }
}

/** The mounts of a writable root with the folder of `makeMountPoints` below its lowest layer. */
export function withMountPoints(mounts: readonly Mount[], folder: string): readonly Mount[] {
  return mounts.map((mount) => (mount.target === undefined ? withLowest(mount, folder) : mount))
}

function withLowest(mount: Mount, folder: string): Mount {
  const lowest = `${LOWER}${folder}`
  if (mount.type === 'bind') return overlayOver(mount.source, lowest)
  const last = mount.options.findLastIndex((option) => option.startsWith(LOWER))
  return { ...mount, options: [...mount.options.slice(0, last + 1), lowest, ...mount.options.slice(last + 1)] }
}

/** A root without layers is its upper folder alone; its work folder lies beside. */
function overlayOver(upper: string, lowest: string): Mount {
  const work = join(dirname(upper), 'work')
  const options = [lowest, `upperdir=${upper}`, `workdir=${work}`, 'redirect_dir=off', 'metacopy=off', 'index=off']
  return { type: 'overlay', source: 'overlay', options }
}
