import { expandFrom, expandInstruction } from './expand-instruction.ts'
import type { LintRuleName } from './lint-rules.ts'
import { isDockerfileError } from './source.ts'
import type { SourceRange } from './source.ts'
import { closest } from './suggest.ts'
import type { Dockerfile, FromInstruction, Instruction } from './types.ts'

/** What a rule found. */
export interface Finding {
  readonly rule: LintRuleName
  readonly range: SourceRange
  readonly text: string
}

const PLATFORM_ARGS = ['PLATFORM', 'OS', 'ARCH', 'VARIANT'].flatMap((name) => [`BUILD${name}`, `TARGET${name}`])
const PROXY_ARGS = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
])
/** Set where a command runs, whatever the image says. */
const ALWAYS_SET: ReadonlySet<string> = new Set(['PATH', 'HOME', 'HOSTNAME', 'TERM', ...PROXY_ARGS])

/**
 * Variables that nothing before declares. What a base image sets is not known here: stages that begin with one are
 * left to the builder, which knows (`undefinedVariable`).
 */
export function lintVariables(file: Dockerfile): readonly Finding[] {
  const globals = new Map<string, string | undefined>(PLATFORM_ARGS.map((name) => [name, 'x']))
  for (const arg of file.globalArgs.flatMap((node) => node.args)) globals.set(arg.name, arg.value)
  const scopes = new Map<string, ReadonlySet<string>>()
  return file.stages.flatMap((stage): Finding[] => {
    const findings = [...lintFromVariables(file, stage.from, globals)]
    const inherited = stage.from.image === 'scratch' ? ALWAYS_SET : scopes.get(stage.from.image.toLowerCase())
    if (inherited === undefined) return findings
    const known = new Set(inherited)
    for (const node of stage.instructions) {
      const names = unsetNames(file, node, known)
      if (node.kind !== 'arg') findings.push(...names.map((name) => undefinedVariable(node, name, known)))
      for (const name of namesOf(node)) known.add(name)
    }
    if (stage.from.alias !== undefined) scopes.set(stage.from.alias, known)
    return findings
  })
}

/** The finding about a variable that is not set where `known` are. */
export function undefinedVariable(node: Instruction, name: string, known: Iterable<string>): Finding {
  const meant = closest(name, known)
  const text = `Usage of undefined variable '$${name}'${meant === undefined ? '' : ` (did you mean $${meant}?)`}`
  return { rule: 'UndefinedVar', range: node.range, text }
}

/** What ENV and ARG declare. */
export function namesOf(node: Instruction): readonly string[] {
  if (node.kind === 'env') return node.pairs.map((pair) => pair.key)
  return node.kind === 'arg' ? node.args.map((arg) => arg.name) : []
}

/** Names that an expansion asks for and does not find; a text that cannot be expanded is an error of the build, later. */
function unsetNames(file: Dockerfile, node: Instruction, known: ReadonlySet<string>): readonly string[] {
  const variables = (name: string): string | undefined => (known.has(name) ? 'x' : undefined)
  try {
    const context = { source: file.source, escape: file.directives.escape }
    return [...new Set(expandInstruction(node, variables, context).unset)]
  } catch (error) {
    if (isDockerfileError(error)) return []
    throw error
  }
}

function lintFromVariables(
  file: Dockerfile,
  from: FromInstruction,
  globals: ReadonlyMap<string, string | undefined>,
): readonly Finding[] {
  const context = { source: file.source, escape: file.directives.escape }
  const { range } = from
  try {
    const { instruction, unset } = expandFrom(from, (name) => globals.get(name), context)
    const undeclared = unset.filter((name) => !globals.has(name))
    const findings: Finding[] = undeclared.map((name) => {
      const meant = closest(name, globals.keys())
      const text = `FROM argument '${name}' is not declared${meant === undefined ? '' : ` (did you mean ${meant}?)`}`
      return { rule: 'UndefinedArgInFrom', range, text }
    })
    if (instruction.image === '' || /[:@/]$/.test(instruction.image)) {
      const text = `Default value for ARG ${from.image} results in empty or invalid base image name`
      findings.push({ rule: 'InvalidDefaultArgInFrom', range, text })
    }
    return findings
  } catch (error) {
    if (isDockerfileError(error)) return []
    throw error
  }
}
