import { invalid } from '#base'

/** ctrl-p ctrl-q, Docker's default. */
const DEFAULT_KEYS: readonly number[] = [16, 17]

/** Bytes of «ctrl-p,ctrl-q» or «a,b»; absent is the default. Throws `invalid` in Docker's words. */
export function parseDetachKeys(text: string | undefined, what = 'detach'): readonly number[] {
  if (text === undefined || text === '') return DEFAULT_KEYS
  const keys = text.split(',').map(keyByte)
  if (!keys.every((key) => key !== undefined)) throw invalid(`Invalid ${what} keys (${text}) provided`)
  return keys
}

/** ctrl- goes with a to z and @ [ \ ] ^ _ ; DEL is not a character that is typed alone. */
function keyByte(word: string): number | undefined {
  if (/^[\x20-\x7e]$/.test(word)) return word.charCodeAt(0)
  const [, letter] = /^ctrl-([a-z@[\\\]^_])$/.exec(word) ?? []
  return letter === undefined ? undefined : letter.toUpperCase().charCodeAt(0) - 0x40
}

/** What goes on to the process of a chunk, and whether the keys were completed in it. */
export interface Typed {
  readonly bytes: Uint8Array
  readonly detached: boolean
}

/** Looks for the keys over chunk borders; the start of a possible match is held back until it is known not to be one. */
export function createDetachFilter(keys: readonly number[]): (chunk: Uint8Array) => Typed {
  const held: number[] = []
  const mayMatch = (): boolean => held.every((byte, index) => byte === keys[index])
  return (chunk) => {
    const passed: number[] = []
    for (const byte of chunk) {
      held.push(byte)
      while (!mayMatch()) passed.push(...held.splice(0, 1))
      if (held.length === keys.length) return { bytes: Uint8Array.from(passed), detached: true }
    }
    return { bytes: Uint8Array.from(passed), detached: false }
  }
}
