import { lstatSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'

type DamageKind = 'flip' | 'cut' | 'remove'

/** A number from 0 to below `count`. */
export type Choose = (count: number) => number

/** What was done to a file. */
export interface Done {
  readonly path: string
  readonly kind: DamageKind
}

/** Files below a folder, but for links and folders; paths from the folder. */
export function filesUnder(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => lstatSync(join(folder, path)).isFile())
    .toSorted()
}

/** Flips one bit, cuts the end off, or removes the file; the time stays, as when a disk does it. */
export function damageFile(path: string, choose: Choose): Done {
  const { size, atime, mtime } = lstatSync(path)
  const kinds: readonly DamageKind[] = size === 0 ? ['remove'] : ['flip', 'cut', 'remove']
  const kind = kinds[choose(kinds.length)] ?? 'remove'
  if (kind === 'remove') {
    rmSync(path)
    return { path, kind }
  }
  if (kind === 'cut') truncateSync(path, choose(size))
  else {
    const bytes = readFileSync(path)
    const at = choose(size)
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << choose(8)), at)
    writeFileSync(path, bytes)
  }
  utimesSync(path, atime, mtime)
  return { path, kind }
}

/** A whole folder goes. */
export function removeTree(path: string): Done {
  rmSync(path, { recursive: true })
  return { path, kind: 'remove' }
}
