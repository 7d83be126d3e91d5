import { chmodSync, chownSync, lchownSync, lstatSync } from 'node:fs'
import { type Path, getXattr, listXattrs, setTimes, setXattr } from '#kernel'
import { type TreeEntry, ifThere } from './tree.ts'

/** The mark of a folder through which nothing below shows; the one of overlay's own xattrs that is part of a tree. */
export const OPAQUE_XATTR = 'trusted.overlay.opaque'

/** Overlay's own marks («origin», «impure», «uuid», «nlink»…): they belong to a mount, not to a tree. */
export function isOverlayXattr(name: string): boolean {
  return name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.')
}

/** All xattrs of an entry but overlay's own; none where the entry has vanished meanwhile. */
export function readXattrs(path: Path): ReadonlyMap<string, Buffer> {
  const xattrs = new Map<string, Buffer>()
  for (const name of ifThere(() => listXattrs(path)) ?? []) {
    const value = isOverlayXattr(name) ? undefined : ifThere(() => getXattr(path, name))
    if (value) xattrs.set(name, value)
  }
  return xattrs
}

/** True for a folder that hides what is below it. */
export function isOpaque(path: Path): boolean {
  return ifThere(() => getXattr(path, OPAQUE_XATTR))?.toString('latin1') === 'y'
}

/** Gives a folder owner, mode and xattrs of another, as overlayfs does when it copies one up. */
export function copyFolderAttributes(from: string | Buffer, to: string | Buffer): void {
  const stat = lstatSync(from)
  chownSync(to, stat.uid, stat.gid)
  chmodSync(to, stat.mode & 0o7777)
  for (const [name, value] of readXattrs(from)) setXattr(to, name, value)
}

/** Gives a new entry all that the one it was copied from has: owner, mode, xattrs, times, the opaque mark. */
export function copyAttributes({ at, stat }: TreeEntry, to: string | Buffer): void {
  lchownSync(to, Number(stat.uid), Number(stat.gid))
  // chown takes the setuid bits and capabilities away, so they come after it
  if (!stat.isSymbolicLink()) chmodSync(to, Number(stat.mode) & 0o7777)
  for (const [name, value] of readXattrs(at)) setXattr(to, name, value)
  if (stat.isDirectory() && isOpaque(at)) setXattr(to, OPAQUE_XATTR, Buffer.from('y'))
  setTimes(to, stat.atimeNs, stat.mtimeNs)
}
