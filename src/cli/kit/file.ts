import { createReadStream, openSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Bytes, errnoOf, invalid, messageOf } from '#base'

const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
}

/** «open x.tar: no such file or directory», as Go says it; an error of another kind in its own words. */
export function errorText(error: unknown, verb: string, name: string): string {
  const errno = errnoOf(error)
  return errno === undefined ? messageOf(error) : `${verb} ${name}: ${WORDS[errno] ?? errno}`
}

/** What the user named could not be opened: «open x.tar: no such file or directory». Other errors pass. */
export function openError(error: unknown, name: string): unknown {
  return errnoOf(error) === undefined ? error : invalid(errorText(error, 'open', name), { cause: error })
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
