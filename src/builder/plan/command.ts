import { unsupported } from '#base'
import type { RunInstruction } from '#dockerfile'
import { isProxyArgument } from './arguments.ts'
import { commandLine } from './metadata.ts'
import { environmentOf, shellOf } from './state.ts'
import type { StageState } from './state.ts'

/** A RUN, ready to be started. */
export interface PreparedCommand {
  readonly args: readonly string[]
  /** A file that the command runs: a heredoc that begins with `#!`. */
  readonly script?: { readonly name: string; readonly text: string }
  /** ENV, then arguments in use that ENV does not hide. */
  readonly env: readonly string[]
  /** Arguments in use that the key and the history name, sorted. */
  readonly argumentsInUse: readonly (readonly [string, string])[]
}

/** Where scripts of heredocs are seen while they run. */
export const SCRIPT_FOLDER = '/dev/pipes'

/** Argument vector and environment of a RUN in this state. */
export function prepareCommand(
  state: StageState,
  node: RunInstruction,
  buildArgs: Readonly<Record<string, string | undefined>>,
): PreparedCommand {
  refuseLater(node)
  const environment = environmentOf(state.config)
  const argumentsInUse = [...state.args].filter(([name]) => !environment.has(name)).toSorted(byName)
  const proxies = Object.entries(buildArgs).flatMap(([name, value]): string[] =>
    value !== undefined && isProxyArgument(name) && !environment.has(name) && !state.args.has(name)
      ? [`${name}=${value}`]
      : [],
  )
  const env = [...(state.config.Env ?? []), ...argumentsInUse.map(([name, value]) => `${name}=${value}`), ...proxies]
  return { ...commandOf(state, node), env, argumentsInUse }
}

/** «|1 Q=7 /bin/sh -c make»: how the classic builder writes a RUN. */
export function runText(command: PreparedCommand): string {
  const line = command.args.join(' ')
  const { argumentsInUse } = command
  if (argumentsInUse.length === 0) return line
  const values = argumentsInUse.map(([name, value]) => `${name}=${value}`)
  return `|${argumentsInUse.length} ${values.join(' ')} ${line}`
}

/** Flags that are understood but not carried out yet. */
function refuseLater(node: RunInstruction): void {
  const refuse = (flag: string) => unsupported(`RUN ${flag} is not carried out yet (line ${node.range.start.line})`)
  if (node.mounts.length > 0) throw refuse(`--mount=${node.mounts[0] ?? ''}`)
  if (node.devices.length > 0) throw refuse(`--device=${node.devices[0] ?? ''}`)
  if (node.security === 'insecure') throw refuse('--security=insecure')
  if (node.network === 'host') throw refuse('--network=host')
}

/** One heredoc alone is a script, or the shell's own text; with a command around it the shell reads it itself. */
function commandOf(state: StageState, node: RunInstruction): Pick<PreparedCommand, 'args' | 'script'> {
  const [first, ...others] = node.heredocs
  if (first === undefined || node.command.form === 'exec') return { args: commandLine(state.config, node.command) }
  const line = node.command.line
  const alone = others.length === 0 && /^\d*<<-?\s*\S+$/.test(line)
  if (!alone) {
    const bodies = node.heredocs.map((heredoc) => `\n${heredoc.text}${heredoc.name}`)
    return { args: [...shellOf(state.config), line + bodies.join('')] }
  }
  const text = first.stripTabs ? first.text.replace(/^\t+/gm, '') : first.text
  if (!text.startsWith('#!')) return { args: [...shellOf(state.config), text] }
  const script = { name: first.name.replaceAll('/', '_'), text }
  return { args: [...shellOf(state.config), `${SCRIPT_FOLDER}/${script.name}`], script }
}

function byName(left: readonly [string, string], right: readonly [string, string]): number {
  return left[0] < right[0] ? -1 : 1
}
