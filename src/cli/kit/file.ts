import { createReadStream, openSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Bytes, errnoOf, invalid } from '#base'

const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
}

/** What the user named could not be opened: «open x.tar: no such file or directory». Other errors pass. */
export function openError(error: unknown, name: string): unknown {
  const errno = errnoOf(error)
  return errno === undefined ? error : invalid(`open ${name}: ${WORDS[errno] ?? errno}`, { cause: error })
}

/** The bytes of a file that the user named, opened at once. */
export function bytesOfFile(cwd: string, name: string): Bytes {
  try {
    const path = resolve(cwd, name)
    return createReadStream(path, { fd: openSync(path, 'r'), highWaterMark: 1 << 20 })
  } catch (error) {
    throw openError(error, name)
  }
}
