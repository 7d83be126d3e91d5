import { parseGlob } from './glob.ts'
import type { Glob } from './glob.ts'
import { createSource, sourceError, withoutLineEnd } from './source.ts'
import type { Source } from './source.ts'

interface IgnorePattern {
  readonly glob: Glob
  /** `!pattern`: takes back what patterns before it ignored. */
  readonly exception: boolean
}

/** Which patterns a path, or a folder above it, fits; handed down a walk so that each path costs each pattern once. */
export interface IgnoreState {
  readonly ignored: boolean
  readonly fits: Uint8Array
}

/** The rules of a .dockerignore file. Paths are relative to the context, with `/`, without one at either end. */
export interface IgnoreRules {
  readonly empty: boolean
  /** True where a pattern takes something back: then an ignored folder must still be walked. */
  readonly hasExceptions: boolean
  /** The state of a path whose parent folder has `parent` (undefined for the context itself). */
  state(path: string, parent: IgnoreState | undefined): IgnoreState
  /** The same without a walk. */
  ignores(path: string): boolean
}

/** Throws `DockerfileError` for a malformed pattern. */
export function parseIgnore(text: string, file = '.dockerignore'): IgnoreRules {
  const source = createSource(file, text.replace(/^\uFEFF/, ''))
  return createRules(source.lines.flatMap((line, index) => parseLine(source, line, index) ?? []))
}

function parseLine(source: Source, raw: string, index: number): IgnorePattern | undefined {
  const line = withoutLineEnd(raw)
  const trimmed = line.trim()
  if (line.startsWith('#') || trimmed === '') return undefined
  const exception = trimmed.startsWith('!')
  const written = exception ? trimmed.slice(1).trim() : trimmed
  const fail = (what: string) => {
    const end = { line: index + 1, column: line.length + 1 }
    return sourceError(source, { file: source.file, start: { line: index + 1, column: 1 }, end }, what)
  }
  if (written === '') throw fail('illegal exclusion pattern: "!"')
  const path = cleanPath(written)
  const pattern = path.length > 1 && path.startsWith('/') ? path.slice(1) : path
  if (parseGlob(pattern) === undefined) throw fail(`syntax error in pattern: ${JSON.stringify(written)}`)
  const glob = compile(pattern)
  return glob === undefined ? undefined : { glob, exception }
}

const MEANING = /[*?[\]\\]/

/** A pattern that begins with `**` and has no other meaning in it fits every path that ends with the rest. */
function compile(pattern: string): Glob | undefined {
  const suffix = pattern.startsWith('**') ? pattern.slice(2) : undefined
  if (suffix === undefined || suffix === '' || suffix === '/' || MEANING.test(suffix))
    return parseGlob(pattern, { folders: true })
  return (path) => path.endsWith(suffix) || (suffix.startsWith('/') && path === suffix.slice(1))
}

function createRules(patterns: readonly IgnorePattern[]): IgnoreRules {
  const state = (path: string, parent: IgnoreState | undefined): IgnoreState => {
    const fits = new Uint8Array(patterns.length)
    let ignored = false
    for (const [index, pattern] of patterns.entries()) {
      if (parent?.fits[index] === 1 || pattern.glob(path)) fits[index] = 1
      if (fits[index] === 1) ignored = !pattern.exception
    }
    return { ignored, fits }
  }
  return {
    empty: patterns.length === 0,
    hasExceptions: patterns.some((pattern) => pattern.exception),
    state,
    ignores(path) {
      let current: IgnoreState | undefined
      for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1))
        current = state(path.slice(0, slash), current)
      return state(path, current).ignored
    },
  }
}

/** A path with `.` and `..` and double slashes taken out, as Go's `filepath.Clean` does it; never empty. */
export function cleanPath(path: string): string {
  const absolute = path.startsWith('/')
  const kept: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') kept.push(part)
    else if (kept.length > 0 && kept.at(-1) !== '..') kept.pop()
    else if (!absolute) kept.push(part)
  }
  const joined = kept.join('/')
  return absolute ? `/${joined}` : joined === '' ? '.' : joined
}
