import { invalid } from '#base'
import type { RawName } from './types.ts'

const NOT_ASCII = /[\u0080-\uffff]/

/** UTF-8 text as a raw name. */
export function nameOfText(text: string): RawName {
  return NOT_ASCII.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text
}

/** A raw name as text; bytes that are not UTF-8 become U+FFFD, so it is for showing, not for opening. */
export function textOfName(name: RawName): string {
  return NOT_ASCII.test(name) ? Buffer.from(name, 'latin1').toString('utf8') : name
}

/** What node:fs and the kernel take as a path: the name itself where it is ASCII, else its bytes. */
export function pathOfName(name: RawName): string | Buffer {
  return NOT_ASCII.test(name) ? Buffer.from(name, 'latin1') : name
}

export function isUtf8Name(name: RawName): boolean {
  if (!NOT_ASCII.test(name)) return true
  const bytes = Buffer.from(name, 'latin1')
  return bytes.equals(Buffer.from(bytes.toString('utf8'), 'utf8'))
}

/**
 * The components of an entry's path, `.` and doubled slashes left out, `..` taken lexically; empty for the root itself.
 * A leading slash counts for nothing. Throws `invalid` for a path that leaves the root or holds a NUL.
 */
export function componentsOfName(path: RawName): string[] {
  const components: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') components.push(part)
    else if (components.pop() === undefined) throw invalid(`entry ${quoteName(path)} leaves the root`)
  }
  if (path.includes('\0')) throw invalid(`entry ${quoteName(path)} has a NUL in its name`)
  return components
}

/** A component that is empty, `.` or `..`, or a NUL. */
const TO_BE_CLEANED = /(?:^|\/)\.{0,2}(?:\/|$)|\0/

/** The components as one path; empty for the root itself. */
export function placeOfName(path: RawName): RawName {
  return TO_BE_CLEANED.test(path) ? componentsOfName(path).join('/') : path
}

/** A name in an error text: quoted, cut after 200 characters, control characters escaped. */
export function quoteName(name: RawName): string {
  const text = textOfName(name)
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
}
