import type { Client } from '#client'
import type { FlagKind, FlagSpec, FlagSpecs, FlagValues } from './arguments.ts'
import { parseWords } from './arguments.ts'
import { CommandLineError } from './error.ts'
import { commandHelp } from './help.ts'

export interface Output {
  readonly terminal: boolean
  write(chunk: string | Uint8Array): void
  /** Resolves when all that was written is taken: a reader that is slow holds up who waits for this. */
  drained(): Promise<void>
  /** Of a terminal. */
  size(): { readonly rows: number; readonly columns: number }
  /** Calls back at each change of a terminal's size, until disposed. */
  onResize(callback: () => void): Disposable
}

export interface Io {
  readonly stdout: Output
  readonly stderr: Output
  readonly stdin: {
    readonly terminal: boolean
    /** To be read once. */
    readonly bytes: AsyncIterable<Uint8Array>
    /** A terminal without echo, line editing and signals, until disposed. */
    raw(): Disposable
  }
  /** Calls back for each of these signals instead of ending, until disposed. */
  onSignals(names: readonly NodeJS.Signals[], callback: (name: NodeJS.Signals) => void): Disposable
}

/** What a command is given besides its words. */
export interface Context {
  readonly client: Client
  readonly io: Io
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Of this client. */
  readonly version: string
  /** «mica run», as typed: in usage and errors. */
  readonly name: string
  /** Runs a program of PATH with this standard input; its stderr is this one's. `status` is absent where it is not there. */
  runProgram(
    file: string,
    args: readonly string[],
    input: string,
  ): Promise<{ readonly status: number | undefined; readonly stdout: string }>
  /** Becomes the daemon program with these words (`mica daemon …`), or does not come back. */
  becomeDaemon(words: readonly string[]): Promise<number>
}

/** A command as the dispatcher sees it. `start` resolves to the exit status. */
export interface Command {
  readonly usage: string
  readonly summary: string
  readonly flags: FlagSpecs
  start(context: Context, words: readonly string[]): Promise<number>
}

interface CommandSpec<F extends FlagSpecs> {
  /** What follows the command's name: «[OPTIONS] IMAGE». */
  readonly usage: string
  readonly summary: string
  readonly flags: F
  /** Whole command lines, as people type them. */
  readonly examples?: readonly string[]
  readonly min?: number
  readonly max?: number
  /** Flags end at the first other word: what follows belongs to the container. */
  readonly leading?: boolean
  run(
    context: Context,
    input: { readonly flags: FlagValues<F>; readonly args: readonly string[]; readonly given: ReadonlySet<string> },
  ): Promise<number>
}

export function command<F extends FlagSpecs>(spec: CommandSpec<F>): Command {
  return {
    usage: spec.usage,
    summary: spec.summary,
    flags: spec.flags,
    async start(context, words) {
      const usage = `Usage:  ${context.name} ${spec.usage}`.trimEnd()
      const parse = async () => parseWords(spec.flags, words, { leading: spec.leading ?? false })
      const parsed = await advise(context, usage, parse)
      if (parsed.help) {
        context.io.stdout.write(commandHelp(usage, spec))
        return 0
      }
      checkCount(context, {
        usage,
        count: parsed.args.length,
        min: spec.min ?? 0,
        max: spec.max ?? Number.POSITIVE_INFINITY,
      })
      return await advise(context, usage, () => spec.run(context, parsed))
    },
  }
}

/** Docker's status for a flag that is wrong. */
const FLAG_EXIT = 125

/** Follows what is wrong with a flag by the command's usage. */
async function advise<T>(context: Context, usage: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof CommandLineError) || error.exit !== FLAG_EXIT || error.advice !== '') throw error
    throw new CommandLineError(error.message, {
      exit: error.exit,
      advice: `${usage}\n\nRun '${context.name} --help' for more information`,
    })
  }
}

interface Counted {
  readonly usage: string
  readonly count: number
  readonly min: number
  readonly max: number
}

/** Docker's words and exit status 1. */
function checkCount(context: Context, { usage, count, min, max }: Counted): void {
  if (count >= min && count <= max) return
  const verb = max === Number.POSITIVE_INFINITY ? 'See' : 'Run'
  const advice = `${usage}\n\n${verb} '${context.name} --help' for more information`
  throw new CommandLineError(`mica: '${context.name}' ${requirement(min, max, count)}`, { exit: 1, advice })
}

function requirement(min: number, max: number, count: number): string {
  const plural = (number: number): string => `${number} argument${number === 1 ? '' : 's'}`
  if (max === 0) return 'accepts no arguments'
  if (min === max) return `requires ${plural(min)}`
  if (min > 0 && max !== Number.POSITIVE_INFINITY) return `requires at least ${min} and at most ${plural(max)}`
  return count < min ? `requires at least ${plural(min)}` : `requires at most ${plural(max)}`
}

interface FlagExtras {
  readonly short?: string
  readonly value?: string
  readonly on?: boolean
  readonly initial?: string
}

const make =
  <K extends FlagKind>(kind: K) =>
  (help: string, extras: FlagExtras = {}): FlagSpec<K> => ({ kind, help, ...extras })

/** Makers of flags: `flag.switch('Run in background', { short: 'd' })`. */
export const flag = { switch: make('switch'), text: make('text'), number: make('number'), list: make('list') }
