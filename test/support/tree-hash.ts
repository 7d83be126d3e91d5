import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** One hash for each path below the folders: type, mode, owner, size, mtime (ns) and bytes. Access times do not count. */
export function hashTree(...folders: readonly string[]): ReadonlyMap<string, string> {
  const hashes = new Map<string, string>()
  for (const folder of folders)
    for (const name of readdirSync(folder, { recursive: true, encoding: 'buffer' }))
      add(hashes, Buffer.concat([Buffer.from(`${folder}/`), asBuffer(name)]))
  return hashes
}

function asBuffer(name: string | Buffer): Buffer {
  return typeof name === 'string' ? Buffer.from(name) : name
}

function add(hashes: Map<string, string>, path: Buffer): void {
  const facts = lstatSync(path, { bigint: true })
  const hash = createHash('sha256').update(`${facts.mode} ${facts.uid} ${facts.gid} ${facts.size} ${facts.mtimeNs}`)
  if (facts.isFile()) hash.update(readFileSync(path))
  if (facts.isSymbolicLink()) hash.update(readlinkSync(path))
  hashes.set(path.toString('latin1'), hash.digest('hex'))
}
