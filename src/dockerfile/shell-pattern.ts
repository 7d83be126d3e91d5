/** One character of a shell pattern: itself, `?`, or `*`. */
type Token = string | typeof ANY | typeof STAR
const ANY = Symbol('?')
const STAR = Symbol('*')

/** A run of tokens between stars. */
type Chunk = readonly (string | typeof ANY)[]

/**
 * `*` and `?` of `${v#p}` and its kin; `\` takes their meaning away. Matching goes from chunk to chunk between the
 * stars, so its time is bounded by text × pattern, never exponential.
 */
function parseChunks(pattern: string): readonly Chunk[] {
  const chunks: (string | typeof ANY)[][] = [[]]
  for (const token of tokens(pattern)) {
    if (token === STAR) chunks.push([])
    else chunks.at(-1)?.push(token)
  }
  return chunks
}

function* tokens(pattern: string): Generator<Token> {
  const characters = Array.from(pattern)
  for (let at = 0; at < characters.length; at += 1) {
    const char = characters[at] ?? ''
    if (char === '\\' && at + 1 < characters.length) {
      at += 1
      yield characters[at] ?? ''
    } else if (char === '*') yield STAR
    else if (char === '?') yield ANY
    else yield char
  }
}

/** UTF-16 length of the shortest prefix (suffix, `backward`) that matches; 0 where none does. */
export function shortestPrefix(text: string, pattern: string, direction: 'forward' | 'backward'): number {
  const { characters, chunks } = oriented(text, pattern, direction)
  return width(characters, matchFrom(characters, chunks, 0, false) ?? 0)
}

/** UTF-16 length of the longest prefix (suffix, `backward`) that matches; 0 where none does. */
export function longestPrefix(text: string, pattern: string, direction: 'forward' | 'backward'): number {
  const { characters, chunks } = oriented(text, pattern, direction)
  return width(characters, matchFrom(characters, chunks, 0, true) ?? 0)
}

/** Replaces the first match (the longest from the leftmost place), or all that do not overlap. */
export function replaceMatches(text: string, pattern: string, replacement: string, all: boolean): string {
  const characters = Array.from(text)
  const chunks = parseChunks(pattern)
  const parts: string[] = []
  let at = 0
  while (at <= characters.length) {
    const match = leftmost(characters, chunks, at)
    if (match === undefined) break
    parts.push(characters.slice(at, match.start).join(''), replacement)
    at = match.end
    if (match.end === match.start) {
      parts.push(characters[at] ?? '')
      at += 1
    }
    if (!all) break
  }
  return parts.join('') + characters.slice(at).join('')
}

function oriented(text: string, pattern: string, direction: 'forward' | 'backward') {
  const characters = Array.from(text)
  const chunks = parseChunks(pattern)
  if (direction === 'forward') return { characters, chunks }
  return { characters: characters.toReversed(), chunks: chunks.map((chunk) => chunk.toReversed()).toReversed() }
}

function width(characters: readonly string[], count: number): number {
  let total = 0
  for (let at = 0; at < count; at += 1) total += characters[at]?.length ?? 0
  return total
}

function leftmost(text: readonly string[], chunks: readonly Chunk[], from: number) {
  const first = chunks[0] ?? []
  const start = indexOf(text, first, from)
  if (start === undefined) return undefined
  const end = matchFrom(text, chunks, start, true)
  return end === undefined ? undefined : { start, end }
}

/** Where a match that begins at `start` ends, or undefined. */
function matchFrom(
  text: readonly string[],
  chunks: readonly Chunk[],
  start: number,
  longest: boolean,
): number | undefined {
  const [first = [], ...others] = chunks
  if (!matchesAt(text, first, start)) return undefined
  let at = start + first.length
  for (const [index, chunk] of others.entries()) {
    const final = index === others.length - 1
    const found = final && longest ? lastIndexOf(text, chunk, at) : indexOf(text, chunk, at)
    if (found === undefined) return undefined
    at = found + chunk.length
  }
  return at
}

function matchesAt(text: readonly string[], chunk: Chunk, at: number): boolean {
  if (at + chunk.length > text.length) return false
  return chunk.every((token, offset) => token === ANY || token === text[at + offset])
}

function indexOf(text: readonly string[], chunk: Chunk, from: number): number | undefined {
  for (let at = from; at + chunk.length <= text.length; at += 1) if (matchesAt(text, chunk, at)) return at
  return undefined
}

function lastIndexOf(text: readonly string[], chunk: Chunk, from: number): number | undefined {
  for (let at = text.length - chunk.length; at >= from; at -= 1) if (matchesAt(text, chunk, at)) return at
  return undefined
}
