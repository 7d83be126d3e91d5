import { createWriteStream, lstatSync, renameSync, rmSync, type Stats } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Bytes, invalid, shortId } from '#base'

/** A file that a command is to make. Refuses at once what it cannot be, so that nothing is asked for in vain. */
export function outputFile(cwd: string, name: string, task: string): (bytes: Bytes) => Promise<void> {
  const path = resolve(cwd, name)
  const folder = dirname(path)
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined)
    throw invalid(`failed to ${task}: invalid output path: stat ${dirname(name)}: no such file or directory`)
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there && !there.isFile()) throw invalid(`failed to ${task}: cannot write to a ${kindOf(there)}`)
  return async (bytes) => await replaceFile(join(folder, `.${basename(path)}.${shortId()}`), path, bytes)
}

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return 'directory'
  if (stat.isSymbolicLink()) return 'symbolic link directly'
  if (stat.isFIFO()) return 'named pipe (FIFO)'
  if (stat.isSocket()) return 'socket'
  return stat.isBlockDevice() ? 'block device file' : 'character device file'
}

/** Whole or not at all: what stood there before stays until all bytes came. */
async function replaceFile(temporary: string, path: string, bytes: Bytes): Promise<void> {
  try {
    await pipeline(Readable.from(bytes), createWriteStream(temporary, { mode: 0o600, flags: 'wx' }))
    renameSync(temporary, path)
  } finally {
    rmSync(temporary, { force: true })
  }
}
