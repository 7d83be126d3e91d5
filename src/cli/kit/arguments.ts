import { CommandLineError } from './error.ts'
import { findDash } from './dash.ts'

export type FlagKind = 'switch' | 'text' | 'number' | 'list'

export interface FlagSpec<K extends FlagKind = FlagKind> {
  readonly kind: K
  readonly help: string
  /** One letter. */
  readonly short?: string
  /** The word that help shows for the value. */
  readonly value?: string
  /** Of a switch that is on by itself. */
  readonly on?: boolean
  /** What help names as the default; the command or the daemon knows it. */
  readonly initial?: string
}

export type FlagSpecs = Readonly<Record<string, FlagSpec>>

type ValueOf<K> = K extends 'switch'
  ? boolean
  : K extends 'list'
    ? readonly string[]
    : K extends 'number'
      ? number | undefined
      : string | undefined

export type FlagValues<F extends FlagSpecs> = { readonly [N in keyof F]: ValueOf<F[N]['kind']> }

export interface Parsed<F extends FlagSpecs> {
  readonly flags: FlagValues<F>
  /** The words that are no flags, in order. */
  readonly args: readonly string[]
  /** Names of the flags that were given. */
  readonly given: ReadonlySet<string>
  readonly help: boolean
}

/**
 * Reads words by the rules of pflag, which docker's clients use: `-it`, `-n5`, `-n 5`, `-n=5`, `--flag=v`, `--flag v`,
 * `--` as the end of flags; with `leading` the first word that is no flag ends them too. Throws CommandLineError with
 * docker's words and exit 125, and names a typographic dash where a word begins with one.
 */
export function parseWords<F extends FlagSpecs>(
  specs: F,
  words: readonly string[],
  options: { readonly leading: boolean },
): Parsed<F> {
  const reading = createReading(specs)
  const args: string[] = []
  const rest = [...words]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      args.push(...rest)
      break
    }
    if (!word.startsWith('-') || word === '-') {
      refuseDash(word)
      args.push(word, ...(options.leading ? rest.splice(0) : []))
    } else if (word.startsWith('--')) readLong(reading, word, rest)
    else readShort(reading, word, rest)
  }
  return { flags: reading.finish(), args, given: reading.given, help: reading.help() }
}

interface Reading<F extends FlagSpecs> {
  find(name: string): FlagSpec | undefined
  findShort(letter: string): readonly [string, FlagSpec] | undefined
  set(name: string, spec: FlagSpec, text: string): void
  askHelp(): void
  help(): boolean
  finish(): FlagValues<F>
  readonly given: Set<string>
}

function createReading<F extends FlagSpecs>(specs: F): Reading<F> {
  const values = new Map<string, unknown>()
  const given = new Set<string>()
  let help = false
  return {
    given,
    find: (name) => (Object.hasOwn(specs, name) ? specs[name] : undefined),
    findShort: (letter) => Object.entries(specs).find(([, spec]) => spec.short === letter),
    askHelp: () => void (help = true),
    help: () => help,
    set(name, spec, text) {
      given.add(name)
      if (spec.kind === 'list') values.set(name, [...listOf(values.get(name)), text])
      else values.set(name, parseValue(name, spec, text))
    },
    finish() {
      const all = Object.entries(specs).map(([name, spec]) => [name, values.get(name) ?? absent(spec)])
      return Object.fromEntries(all) as FlagValues<F>
    },
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function absent(spec: FlagSpec): boolean | readonly string[] | undefined {
  if (spec.kind === 'switch') return spec.on ?? false
  return spec.kind === 'list' ? [] : undefined
}

function readLong<F extends FlagSpecs>(reading: Reading<F>, word: string, rest: string[]): void {
  const at = word.indexOf('=')
  const name = at < 0 ? word.slice(2) : word.slice(2, at)
  const spec = reading.find(name)
  if (!spec && name === 'help') return reading.askHelp()
  if (!spec)
    throw new CommandLineError(
      name === '' || name.startsWith('-') ? `bad flag syntax: ${word}` : `unknown flag: --${name}`,
      { exit: 125 },
    )
  if (at >= 0) return reading.set(name, spec, word.slice(at + 1))
  if (spec.kind === 'switch') return reading.set(name, spec, 'true')
  const value = rest.shift()
  if (value === undefined) throw new CommandLineError(`flag needs an argument: --${name}`, { exit: 125 })
  reading.set(name, spec, value)
}

function readShort<F extends FlagSpecs>(reading: Reading<F>, word: string, rest: string[]): void {
  for (let at = 1; at < word.length; at += 1) {
    const letter = word.charAt(at)
    const found = reading.findShort(letter)
    if (!found && letter === 'h') return reading.askHelp()
    if (!found) throw new CommandLineError(`unknown shorthand flag: '${letter}' in ${word}`, { exit: 125 })
    const [name, spec] = found
    const after = word.slice(at + 1)
    if (after.startsWith('=')) return reading.set(name, spec, after.slice(1))
    if (spec.kind === 'switch') {
      reading.set(name, spec, 'true')
      continue
    }
    const value = after === '' ? rest.shift() : after
    if (value === undefined) throw new CommandLineError(`flag needs an argument: '${letter}' in ${word}`, { exit: 125 })
    return reading.set(name, spec, value)
  }
}

const TRUE: readonly string[] = ['1', 't', 'T', 'true', 'TRUE', 'True']
const FALSE: readonly string[] = ['0', 'f', 'F', 'false', 'FALSE', 'False']

function parseValue(name: string, spec: FlagSpec, text: string): boolean | number | string {
  const flag = spec.short === undefined ? `--${name}` : `-${spec.short}, --${name}`
  if (spec.kind === 'switch') {
    if (TRUE.includes(text)) return true
    if (FALSE.includes(text)) return false
    throw new CommandLineError(
      `invalid argument ${JSON.stringify(text)} for "${flag}" flag: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`,
      { exit: 125 },
    )
  }
  if (spec.kind === 'number') {
    if (/^[-+]?\d+$/.test(text)) return Number(text)
    throw new CommandLineError(
      `invalid argument ${JSON.stringify(text)} for "${flag}" flag: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
      { exit: 125 },
    )
  }
  return text
}

function refuseDash(word: string): void {
  const found = findDash(word)
  if (!found) return
  throw new CommandLineError(
    `"${word}" begins with ${found.name} (${found.code}), not with a hyphen: type ${found.meant}; it was probably changed when the command was copied`,
    { exit: 125 },
  )
}
