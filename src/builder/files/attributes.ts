import type { Owner } from '#tree'
import type { Copy } from './copy-tree.ts'
import type { Entry } from './select.ts'

export const ROOT: Owner = { uid: 0, gid: 0 }

/** What a copied entry looks like. */
export function attributesOf(copy: Copy, { stat, kind }: Entry) {
  const kept = copy.target.keepOwners ? { uid: Number(stat.uid), gid: Number(stat.gid) } : ROOT
  return {
    mode: modeOf(copy, Number(stat.mode) & 0o7777, kind === 'folder'),
    owner: copy.owner ?? kept,
    mtime: stat.mtimeNs,
  }
}

export function modeOf(copy: Copy, mode: number, isFolder: boolean): number {
  return copy.mode === undefined ? mode : copy.mode(mode, isFolder)
}
