import { invalid } from '#base'

/** What docker's clients detach with where nothing else is said: ctrl-p ctrl-q. */
const DEFAULT_KEYS = Uint8Array.of(16, 17)

/** «ctrl-a,x»: the bytes of a detach sequence. */
export function parseKeys(text: string | undefined): Uint8Array {
  if (text === undefined || text === '') return DEFAULT_KEYS
  return Uint8Array.from(text.split(',').map((key) => keyCode(key, text)))
}

function keyCode(key: string, text: string): number {
  if (/^[\x21-\x7e]$/.test(key)) return key.charCodeAt(0)
  const [, letter] = /^ctrl-([a-z@[\\\]^_])$/i.exec(key) ?? []
  if (letter === undefined) throw invalid(`Invalid detach keys (${text}) provided: Unknown character: '${key}'`)
  return letter.toUpperCase().charCodeAt(0) & 0x1f
}
