import type { FlagSpec, FlagSpecs } from './arguments.ts'

export interface HelpLine {
  readonly name: string
  readonly summary: string
}

export interface HelpGroup {
  readonly title: string
  readonly lines: readonly HelpLine[]
}

/** `mica run --help`, laid out as docker's, with what people type most below it. */
export function commandHelp(
  usage: string,
  { summary, flags, examples = [] }: { summary: string; flags: FlagSpecs; examples?: readonly string[] },
): string {
  const rows = Object.entries(flags)
    .sort(([one], [two]) => (one < two ? -1 : 1))
    .map(([name, spec]) => [flagText(name, spec), helpText(spec)] as const)
  const options = rows.length === 0 ? '' : `\nOptions:\n${columns(rows, 3)}`
  const shown = examples.length === 0 ? '' : `\nExamples:\n${examples.map((line) => `  ${line}\n`).join('')}`
  return `${usage}\n\n${summary}\n${options}${shown}`
}

/** Docker's least width of a column of names. */
const NAME_WIDTH = 11

/** `mica image`: what the group holds. */
export function groupHelp(name: string, group: HelpGroup): string {
  const rows = group.lines.map((line) => [line.name.padEnd(NAME_WIDTH), line.summary] as const)
  return `Usage:  ${name} COMMAND\n\n${group.title}\n\nCommands:\n${columns(indent(rows), 1)}\nRun '${name} COMMAND --help' for more information on a command.\n`
}

/** `mica help`. */
export function topHelp(groups: readonly HelpGroup[], options: FlagSpecs): string {
  const flags = Object.entries(options).map(([name, spec]) => [flagText(name, spec), spec.help] as const)
  const parts = groups.map(
    ({ title, lines }) => `${title}:\n${columns(indent(lines.map((line) => [line.name, line.summary] as const)), 2)}`,
  )
  return [
    'Usage:  mica [OPTIONS] COMMAND\n\nA container engine and image builder that speaks the Docker Engine API\n',
    ...parts,
    `Global Options:\n${columns(flags, 3)}`,
    "Run 'mica COMMAND --help' for more information on a command.\n",
  ].join('\n')
}

function helpText({ help, on, initial = on ? 'true' : undefined }: FlagSpec): string {
  return initial === undefined ? help : `${help} (default ${initial})`
}

function flagText(name: string, spec: FlagSpec): string {
  const short = spec.short === undefined ? '    ' : `-${spec.short}, `
  const word =
    spec.kind === 'switch'
      ? ''
      : ` ${spec.value ?? (spec.kind === 'text' ? 'string' : spec.kind === 'number' ? 'int' : 'list')}`
  return `  ${short}--${name}${word}`
}

type Row = readonly [string, string]

const indent = (rows: readonly Row[]): readonly Row[] => rows.map(([left, right]) => [`  ${left}`, right] as const)

function columns(rows: readonly Row[], gap: number): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + gap
  return rows.map(([left, right]) => `${left.padEnd(width)}${right}\n`).join('')
}
