import { closeSync, constants, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { errnoOf } from '#base'
import { pathOfName } from '#archive'
import { descriptorPath, openInRoot } from '#kernel'

const FOLDER = 0o10000000 | constants.O_DIRECTORY

/**
 * Removes a folder (a raw name in an open folder) and all below it. Each folder is entered by its descriptor and never
 * through a link, so that one who swaps names meanwhile only loses what is his.
 */
export function removeTree(parent: number, name: string): void {
  const fd = openInRoot(parent, pathOfName(name), FOLDER)
  try {
    for (const entry of readdirSync(descriptorPath(fd), { encoding: 'latin1' })) removeEntry(fd, entry)
  } finally {
    closeSync(fd)
  }
  rmdirSync(pathOfName(`${descriptorPath(parent)}/${name}`))
}

/** Unlinking a folder fails with EISDIR: most entries are none, and cost one call. */
function removeEntry(folder: number, name: string): void {
  try {
    unlinkSync(pathOfName(`${descriptorPath(folder)}/${name}`))
  } catch (error) {
    if (errnoOf(error) !== 'EISDIR') throw error
    removeTree(folder, name)
  }
}
