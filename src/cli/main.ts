import { type Client, createClient } from '#client'
import {
  CommandLineError,
  type Context,
  flag,
  groupHelp,
  type HelpGroup,
  type Io,
  outcomeOf,
  parseWords,
  topHelp,
} from '#cli/kit'
import { aliases, commands, type Entry, type Group, groups } from './table.ts'
import { chooseHost, type ChosenHost } from './host.ts'
import { reaching } from './reach.ts'

/** What `bin` hands in: the only place that reads the process's own environment. */
export interface CliEnvironment {
  readonly words: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly io: Io
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly version: string
  /** As `Context.runProgram`. */
  runProgram: Context['runProgram']
  /** Becomes the daemon's program with these words; comes back only where that cannot be done. */
  becomeDaemon(words: readonly string[]): Promise<number>
  /** Starts the daemon in the background; resolves when the process is there, not when it answers. */
  startDaemon(words: readonly string[]): StartedDaemon
}

export interface StartedDaemon {
  /** False once it has ended. */
  alive(): boolean
  /** The end of what it has said. */
  output(): string
}

const GLOBAL_FLAGS = {
  config: flag.text('Location of client config files'),
  context: flag.text('Name of the context to use to connect to the daemon', { short: 'c' }),
  debug: flag.switch('Enable debug mode', { short: 'D' }),
  host: flag.text('Daemon socket to connect to', { short: 'H' }),
  'log-level': flag.text('Set the logging level ("debug", "info", "warn", "error", "fatal")', {
    short: 'l',
    initial: '"info"',
  }),
  version: flag.switch('Print version information and quit', { short: 'v' }),
}

/** Runs one command; resolves to the exit status. */
export async function runCli(environment: CliEnvironment): Promise<number> {
  try {
    return await dispatch(environment)
  } catch (error) {
    const { text, exit } = outcomeOf(error)
    environment.io.stderr.write(text)
    return exit
  }
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'panic']

/** What is said of the client itself: it keeps no log, and knows no contexts yet. */
function checkGlobal(flags: { readonly context: string | undefined; readonly 'log-level': string | undefined }): void {
  const { context = 'default', 'log-level': level = 'info' } = flags
  if (!LOG_LEVELS.includes(level.toLowerCase()))
    throw new CommandLineError(`Unable to parse logging level: ${level}`, { exit: 1 })
  if (context !== 'default' && context !== '')
    throw new CommandLineError(`--context: not yet carried out by mica (${context})`, { exit: 1 })
}

async function dispatch(outside: CliEnvironment): Promise<number> {
  const { flags, args, help } = parseGlobal(outside.words)
  checkGlobal(flags)
  const { config } = flags
  const environment = config ? { ...outside, env: { ...outside.env, DOCKER_CONFIG: config } } : outside
  if (flags.version) {
    environment.io.stdout.write(`mica version ${environment.version}\n`)
    return 0
  }
  const [first, ...rest] = args
  if (help || first === undefined || (first === 'help' && rest.length === 0)) {
    // As docker: what was asked for goes to stdout.
    const output = help || first !== undefined ? environment.io.stdout : environment.io.stderr
    output.write(topHelp(topGroups(), GLOBAL_FLAGS))
    return 0
  }
  const answer = await completion(environment, [first, ...rest], chooseHost(flags.host, environment.env))
  if (answer !== undefined) {
    environment.io.stdout.write(answer)
    return 0
  }
  const words = first === 'help' ? [...rest, '--help'] : args
  return await typed(environment, words, chooseHost(flags.host, environment.env))
}

/** `completion SHELL` and what its script asks; undefined for other words. No daemon is started for a shell that completes. */
async function completion(
  { env }: CliEnvironment,
  [first = '', ...rest]: readonly string[],
  host: ChosenHost,
): Promise<string | undefined> {
  if (first === 'completion') {
    const { completionScripts } = await import('./completion-scripts.ts')
    const [shell = ''] = rest
    const script = Object.hasOwn(completionScripts, shell) ? completionScripts[shell] : undefined
    if (script !== undefined) return script
    const shells = Object.keys(completionScripts).join('|')
    throw new CommandLineError(`Usage:  mica completion ${shells}`, { exit: 1 })
  }
  if (first !== '__complete' && first !== '__completeNoDesc') return undefined
  const { completeWords } = await import('./complete.ts')
  return await completeWords(rest, { client: createClient({ host: host.text }), env, help: first === '__complete' })
}

function parseGlobal(words: readonly string[]) {
  try {
    return parseWords(GLOBAL_FLAGS, words, { leading: true })
  } catch (error) {
    if (!(error instanceof CommandLineError)) throw error
    throw new CommandLineError(error.message, { exit: 125, advice: "See 'mica --help'." })
  }
}

async function typed(
  environment: CliEnvironment,
  [name = '', ...words]: readonly string[],
  host: ChosenHost,
): Promise<number> {
  const group = own(groups, name)
  if (group) return await inGroup(environment, { name, group, words, host })
  for (const { entries } of commands) {
    const entry = own(entries, name)
    if (entry) return await start(environment, entry, { name: `mica ${name}`, words, host })
  }
  await refuseNotYet(name)
  throw new CommandLineError(`mica: unknown command: mica ${name}`, {
    exit: 1,
    advice: "Run 'mica --help' for more information",
  })
}

/** Whoever knows docker's commands is told which of them are not there yet. */
async function refuseNotYet(name: string): Promise<void> {
  const { notYet } = await import('./not-yet.ts')
  if (notYet.has(name)) throw new CommandLineError(`mica ${name}: not yet carried out by mica`, { exit: 1 })
}

interface InGroup {
  readonly name: string
  readonly group: Group
  readonly words: readonly string[]
  readonly host: ChosenHost
}

async function inGroup(environment: CliEnvironment, { name, group, words, host }: InGroup): Promise<number> {
  const [word, ...rest] = words
  if (word === undefined || word === '--help' || word === '-h') {
    const output = word === undefined ? environment.io.stderr : environment.io.stdout
    output.write(groupHelp(`mica ${name}`, { title: group.title, lines: linesOf(group) }))
    return 0
  }
  const entry = own(group.entries, word) ?? own(group.entries, own(aliases, word) ?? '')
  if (entry) return await start(environment, entry, { name: `mica ${name} ${word}`, words: rest, host })
  await refuseNotYet(`${name} ${word}`)
  const advice = `Usage:  mica ${group.usage ?? name}\n\nRun 'mica ${name} --help' for more information`
  throw new CommandLineError(`mica: unknown command: mica ${name} ${word}`, { exit: 1, advice })
}

interface Start {
  readonly name: string
  readonly words: readonly string[]
  readonly host: ChosenHost
}

async function start(environment: CliEnvironment, entry: Entry, { name, words, host }: Start): Promise<number> {
  const command = await entry.load()
  const client: Client = reaching(createClient({ host: host.text }), host, environment)
  const { io, env, cwd, version } = environment
  const context: Context = {
    client,
    io,
    env,
    cwd,
    version,
    now: environment.now(),
    name,
    runProgram: (...of) => environment.runProgram(...of),
    becomeDaemon: (all) => environment.becomeDaemon(all),
  }
  return await command.start(context, words)
}

function topGroups(): readonly HelpGroup[] {
  const management = {
    title: 'Management Commands',
    lines: Object.entries(groups).map(([name, { title }]) => ({ name, summary: title })),
  }
  const [first, ...others] = commands.map((group) => ({ title: group.title, lines: linesOf(group) }))
  return [...(first ? [first] : []), management, ...others]
}

const linesOf = ({ entries }: Group): HelpGroup['lines'] =>
  Object.entries(entries).map(([name, { summary }]) => ({ name, summary }))

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}
