import { getXattr, listXattrs } from '#kernel'
import { createHash } from 'node:crypto'
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/**
 * One line for each path below a folder: type, mode, owner, device, size, time (ns), xattrs (of overlay's own only the mark of opaque
 * folders), bytes or link target, and which paths are names of one file. Of a whiteout only that it is one.
 */
export function treeFacts(root: string): readonly string[] {
  const firstName = new Map<bigint, string>()
  const lines: string[] = []
  const visit = (folder: string): void => {
    const names = readdirSync(Buffer.from(join(root, folder), 'latin1'), { encoding: 'latin1' })
    for (const name of names.toSorted()) {
      const path = folder === '' ? name : `${folder}/${name}`
      const at = Buffer.from(join(root, path), 'latin1')
      const stat = lstatSync(at, { bigint: true })
      if (!firstName.has(stat.ino)) firstName.set(stat.ino, path)
      lines.push(`${JSON.stringify(path)} ${factsOf(at, stat, firstName.get(stat.ino) ?? '')}`)
      if (stat.isDirectory()) visit(path)
    }
  }
  visit('')
  return lines
}

function factsOf(at: Buffer, stat: ReturnType<typeof statOf>, firstName: string): string {
  if (stat.isCharacterDevice() && stat.rdev === 0n) return 'whiteout'
  const { mode, uid, gid, rdev, mtimeNs } = stat
  const size = stat.isDirectory() ? 0n : stat.size
  const names = stat.isDirectory() ? '' : `${stat.nlink} names, first ${JSON.stringify(firstName)}`
  return [mode.toString(8), uid, gid, rdev, size, mtimeNs, xattrsOf(at), contentOf(at, stat), names].join(' ')
}

function statOf(at: Buffer) {
  return lstatSync(at, { bigint: true })
}

function xattrsOf(at: Buffer): string {
  const own = (name: string): boolean => name.startsWith('trusted.overlay.') && name !== 'trusted.overlay.opaque'
  const names = listXattrs(at)
    .filter((name) => !own(name))
    .toSorted()
  return names.map((name) => `${name}=${getXattr(at, name)?.toString('hex')}`).join(',')
}

function contentOf(at: Buffer, stat: ReturnType<typeof statOf>): string {
  if (stat.isSymbolicLink()) return readlinkSync(at, { encoding: 'latin1' })
  if (!stat.isFile()) return ''
  return createHash('sha256').update(readFileSync(at)).digest('hex')
}
