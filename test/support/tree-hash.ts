import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** One hash for each path below the folders: type, mode, owner, size, mtime (ns) and bytes. Access times do not count. */
export function hashTree(...folders: readonly string[]): ReadonlyMap<string, string> {
  const hashes = new Map<string, string>()
  for (const folder of folders) addFolder(hashes, Buffer.from(folder))
  return hashes
}

/** By hand: node's recursive reading does not take names as bytes. */
function addFolder(hashes: Map<string, string>, folder: Buffer): void {
  for (const name of readdirSync(folder, { encoding: 'buffer' })) {
    const path = Buffer.concat([folder, Buffer.from('/'), name])
    add(hashes, path)
    if (lstatSync(path).isDirectory()) addFolder(hashes, path)
  }
}

function add(hashes: Map<string, string>, path: Buffer): void {
  const facts = lstatSync(path, { bigint: true })
  const hash = createHash('sha256').update(`${facts.mode} ${facts.uid} ${facts.gid} ${facts.size} ${facts.mtimeNs}`)
  if (facts.isFile()) hash.update(readFileSync(path))
  if (facts.isSymbolicLink()) hash.update(readlinkSync(path))
  hashes.set(path.toString('latin1'), hash.digest('hex'))
}
