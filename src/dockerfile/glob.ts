/** A step of a pattern; `dirs` is any number of whole folders (also none), `within` the state inside of it. */
type Token =
  | { readonly kind: 'char'; readonly char: string }
  | { readonly kind: 'any' | 'star' | 'dirs' | 'within' | 'rest' }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] }

/** Whether a whole path fits a pattern. Time is bounded by path × pattern. */
export type Glob = (path: string) => boolean

/**
 * A pattern in the grammar of Go's `filepath.Match`: `*` and `?` do not cross `/`, `[a-z]`, `[^a-z]`, `\` takes a
 * meaning away. With `folders`, also `**` as .dockerignore has it. Undefined where the pattern is malformed.
 */
export function parseGlob(pattern: string, options: { readonly folders?: boolean } = {}): Glob | undefined {
  const tokens = tokenize(Array.from(pattern), options.folders ?? false)
  if (tokens === undefined) return undefined
  if (tokens.every((token) => token.kind === 'char')) {
    const literal = tokens.map((token) => token.char).join('')
    return (path) => path === literal
  }
  return (path) => matches(tokens, path)
}

/** True where COPY and ADD take a source for a pattern. */
export function hasWildcards(path: string): boolean {
  for (let at = 0; at < path.length; at += 1) {
    const char = path.charAt(at)
    if (char === '\\') at += 1
    else if (char === '*' || char === '?' || char === '[') return true
  }
  return false
}

/** The name that a pattern without wildcards means: escapes taken away. */
export function withoutEscapes(path: string): string {
  return path.replace(/\\(.?)/gsu, '$1')
}

function tokenize(chars: readonly string[], folders: boolean): readonly Token[] | undefined {
  const tokens: Token[] = []
  let at = 0
  while (at < chars.length) {
    const char = chars[at] ?? ''
    if (char === '*' && folders && chars[at + 1] === '*') {
      at = pushFolders(tokens, chars, at + 2)
    } else if (char === '[') {
      const read = readClass(chars, at + 1)
      if (read === undefined) return undefined
      tokens.push(read.token)
      at = read.end
    } else if (char === '\\') {
      if (at + 1 >= chars.length) return undefined
      tokens.push({ kind: 'char', char: chars[at + 1] ?? '' })
      at += 2
    } else {
      tokens.push(char === '*' ? { kind: 'star' } : char === '?' ? { kind: 'any' } : { kind: 'char', char })
      at += 1
    }
  }
  return tokens
}

/** `**` at the end is everything; `**` and `**` + `/` elsewhere are any number of folders. */
function pushFolders(tokens: Token[], chars: readonly string[], after: number): number {
  const at = chars[after] === '/' ? after + 1 : after
  if (at >= chars.length) tokens.push({ kind: 'rest' })
  else tokens.push({ kind: 'dirs' }, { kind: 'within' })
  return at
}

function readClass(chars: readonly string[], start: number): { token: Token; end: number } | undefined {
  const negated = chars[start] === '^'
  const ranges: [string, string][] = []
  let at = negated ? start + 1 : start
  for (;;) {
    if (chars[at] === ']' && ranges.length > 0) return { token: { kind: 'class', negated, ranges }, end: at + 1 }
    const low = readClassChar(chars, at)
    if (low === undefined) return undefined
    at = low.end
    let high = low
    if (chars[at] === '-') {
      const read = readClassChar(chars, at + 1)
      if (read === undefined) return undefined
      high = read
      at = read.end
    }
    ranges.push([low.char, high.char])
  }
}

/** Undefined at the end, and where `-` or `]` stands without an escape. The class itself must still be closed. */
function readClassChar(chars: readonly string[], at: number): { char: string; end: number } | undefined {
  const escaped = chars[at] === '\\'
  const char = chars[escaped ? at + 1 : at]
  if (char === undefined || (!escaped && (char === '-' || char === ']'))) return undefined
  return { char, end: escaped ? at + 2 : at + 1 }
}

/** All states at once, so that no pattern makes it try the same place twice. */
function matches(tokens: readonly Token[], path: string): boolean {
  const end = tokens.length
  let states = new Uint8Array(end + 1)
  enter(states, tokens, 0)
  for (const char of path) {
    const next = new Uint8Array(end + 1)
    let alive = false
    for (let at = 0; at < end; at += 1) {
      if (states[at] !== 1) continue
      alive = true
      advance(next, tokens, at, char)
    }
    if (!alive) return false
    states = next
  }
  return states[end] === 1
}

/** Marks a state and those that are reached from it without a character. */
function enter(states: Uint8Array, tokens: readonly Token[], from: number): void {
  for (let at = from; ;) {
    states[at] = 1
    const kind = tokens[at]?.kind
    if (kind === 'star' || kind === 'rest') at += 1
    else if (kind === 'dirs') at += 2
    else return
  }
}

function advance(next: Uint8Array, tokens: readonly Token[], at: number, char: string): void {
  const token = tokens[at]
  if (token === undefined) return
  if (token.kind === 'dirs' || token.kind === 'within') {
    const within = token.kind === 'dirs' ? at + 1 : at
    next[within] = 1
    if (char === '/') enter(next, tokens, within + 1)
  } else if (accepts(token, char)) {
    const stays = token.kind === 'star' || token.kind === 'rest'
    enter(next, tokens, stays ? at : at + 1)
  }
}

function accepts(token: Token, char: string): boolean {
  if (token.kind === 'char') return token.char === char
  if (token.kind === 'class') return inClass(token, char)
  return token.kind === 'rest' || char !== '/'
}

function inClass(token: Extract<Token, { kind: 'class' }>, char: string): boolean {
  const code = char.codePointAt(0) ?? 0
  const inside = token.ranges.some(
    ([low, high]) => code >= (low.codePointAt(0) ?? 0) && code <= (high.codePointAt(0) ?? 0),
  )
  return inside !== token.negated
}
