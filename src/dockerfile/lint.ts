import { LINT_RULES } from './lint-rules.ts'
import { lintVariables, namesOf } from './lint-variables.ts'
import type { Finding } from './lint-variables.ts'
import type { LintRuleName } from './lint-rules.ts'
import type { SourceRange } from './source.ts'
import type { CommandForm, Dockerfile, FromInstruction, Instruction, LintWarning } from './types.ts'

/** What is bad style or likely a mistake, in the order of the file; `# check=skip=…` leaves rules out. */
export function lint(file: Dockerfile, emptyContinuations: readonly SourceRange[]): readonly LintWarning[] {
  const skipped = skippedRules(file.directives.check)
  if (skipped.has('all')) return []
  const findings = [
    ...emptyContinuations.map((range) => ({ rule: 'NoEmptyContinuation' as const, range, text: EMPTY })),
    ...lintCasing(file),
    ...lintStages(file),
    ...lintNodes(file),
    ...lintVariables(file),
  ]
  return findings
    .filter((finding) => !skipped.has(finding.rule.toLowerCase()))
    .toSorted((left, right) => left.range.start.line - right.range.start.line)
    .map(({ rule, range, text }) => ({ rule, range, text, ...LINT_RULES[rule] }))
}

const EMPTY = 'Empty continuation line'

/** `skip=a,b;error=true`: names in lower case. */
function skippedRules(check: string | undefined): ReadonlySet<string> {
  const parts = (check ?? '').split(';').map((part) => part.trim())
  const skip = parts.find((part) => part.startsWith('skip='))
  return new Set(
    (skip ?? 'skip=')
      .slice(5)
      .split(',')
      .map((name) => name.trim().toLowerCase()),
  )
}

function allNodes(file: Dockerfile): readonly (Instruction | FromInstruction)[] {
  return [...file.globalArgs, ...file.stages.flatMap((stage) => [stage.from, ...stage.instructions])]
}

/** Keywords are all upper or all lower case; the more frequent way is the file's. */
function lintCasing(file: Dockerfile): readonly Finding[] {
  const nodes = allNodes(file)
  const lower = nodes.filter((node) => node.keyword === node.keyword.toLowerCase()).length
  const upper = nodes.filter((node) => node.keyword === node.keyword.toUpperCase()).length
  const wanted = lower > upper ? 'lowercase' : 'uppercase'
  return nodes.flatMap((node): Finding[] => {
    const right = wanted === 'lowercase' ? node.keyword.toLowerCase() : node.keyword.toUpperCase()
    if (node.keyword === right) return []
    const text = `Command '${node.keyword}' should match the case of the command majority (${wanted})`
    return [{ rule: 'ConsistentInstructionCasing', range: node.range, text }]
  })
}

const RESERVED = new Set(['scratch', 'context'])

function lintStages(file: Dockerfile): readonly Finding[] {
  const seen = new Set<string>()
  return file.stages.flatMap(({ from }): Finding[] => {
    const { alias, aliasAsWritten = '', range } = from
    if (alias === undefined) return []
    const findings: Finding[] = []
    const find = (rule: LintRuleName, text: string) => findings.push({ rule, range, text })
    if (alias !== aliasAsWritten) find('StageNameCasing', `Stage name '${aliasAsWritten}' should be lowercase`)
    const as = /\s(as)\s+\S+\s*$/i.exec(from.rest)?.[1] ?? 'AS'
    if (isUpper(as) !== isUpper(from.keyword) && isUniform(as) && isUniform(from.keyword))
      find('FromAsCasing', `'${as}' and '${from.keyword}' keywords' casing do not match`)
    if (RESERVED.has(alias))
      find('ReservedStageName', `Stage name should not use the same name as reserved stage "${alias}"`)
    if (seen.has(alias))
      find('DuplicateStageName', `Duplicate stage name "${aliasAsWritten}", stage names should be unique`)
    seen.add(alias)
    return findings
  })
}

function isUpper(word: string): boolean {
  return word === word.toUpperCase()
}

function isUniform(word: string): boolean {
  return isUpper(word) || word === word.toLowerCase()
}

function lintNodes(file: Dockerfile): readonly Finding[] {
  return file.stages.flatMap((stage) => [
    ...lintFrom(stage.from),
    ...lintRepeated(stage.instructions),
    ...lintWorkdir(stage.instructions),
    ...stage.instructions.flatMap((node) => lintNode(node)),
  ])
}

function lintFrom(from: FromInstruction): readonly Finding[] {
  const { platform, range } = from
  if (platform === undefined) return []
  if (/^\$\{?TARGETPLATFORM\}?$/.test(platform)) {
    const text = `Setting platform to predefined ${platform} in FROM is redundant as this is the default behavior`
    return [{ rule: 'RedundantTargetPlatform', range, text }]
  }
  if (platform.includes('$')) return []
  const text = `FROM --platform flag should not use constant value "${platform}"`
  return [{ rule: 'FromPlatformFlagConstDisallowed', range, text }]
}

const ONCE = new Set<Instruction['kind']>(['cmd', 'entrypoint', 'healthcheck'])

function lintRepeated(nodes: readonly Instruction[]): readonly Finding[] {
  const last = new Map(nodes.filter((node) => ONCE.has(node.kind)).map((node) => [node.kind, node]))
  return nodes.flatMap((node): Finding[] => {
    const kept = last.get(node.kind)
    if (kept === undefined || kept === node) return []
    const name = node.kind.toUpperCase()
    const text = `Multiple ${name} instructions should not be used in the same stage because only the last one will be used`
    return [{ rule: 'MultipleInstructionsDisallowed', range: node.range, text }]
  })
}

/** The first WORKDIR of a stage should not depend on the base image. */
function lintWorkdir(nodes: readonly Instruction[]): readonly Finding[] {
  const [first] = nodes.flatMap((node) => (node.kind === 'workdir' ? [node] : []))
  if (first === undefined || first.value.startsWith('/') || first.value.startsWith('$')) return []
  const text = `Relative workdir "${first.value}" can have unexpected results if the base image changes`
  return [{ rule: 'WorkdirRelativePath', range: first.range, text }]
}

function lintNode(node: Instruction): readonly Finding[] {
  const { range } = node
  if (node.kind === 'maintainer') {
    const text = 'Maintainer instruction is deprecated in favor of using label'
    return [{ rule: 'MaintainerDeprecated', range, text }]
  }
  if (node.kind === 'label') return lintLegacy(node)
  if (node.kind === 'env') return [...lintLegacy(node), ...lintSecrets(node, namesOf(node))]
  if (node.kind === 'arg') return lintSecrets(node, namesOf(node))
  if (node.kind === 'cmd' || node.kind === 'entrypoint')
    return lintShellForm(node.kind.toUpperCase(), node.command, range)
  return node.kind === 'expose' ? node.values.flatMap((value) => lintPort(value, range)) : []
}

function lintLegacy(node: Extract<Instruction, { kind: 'env' | 'label' }>): readonly Finding[] {
  if (!node.legacy) return []
  const name = node.kind.toUpperCase()
  const text = `"${name} key=value" should be used instead of legacy "${name} key value" format`
  return [{ rule: 'LegacyKeyValueFormat', range: node.range, text }]
}

const SECRET = /(?:^|[_-])(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:$|[_-])/i
const NO_SECRET = /(?:^|[_-])public(?:$|[_-])/i

function lintSecrets(node: Instruction, names: readonly string[]): readonly Finding[] {
  return names
    .filter((name) => SECRET.test(name) && !NO_SECRET.test(name))
    .map((name) => {
      const text = `Do not use ARG or ENV instructions for sensitive data (${node.kind.toUpperCase()} "${name}")`
      return { rule: 'SecretsUsedInArgOrEnv', range: node.range, text }
    })
}

function lintShellForm(name: string, command: CommandForm, range: SourceRange): readonly Finding[] {
  if (command.form === 'exec') return []
  const text = `JSON arguments recommended for ${name} to prevent unintended behavior related to OS signals`
  return [{ rule: 'JSONArgsRecommended', range, text }]
}

function lintPort(value: string, range: SourceRange): readonly Finding[] {
  const protocol = value.slice(value.indexOf('/') + 1)
  if (value.includes('/') && protocol !== protocol.toLowerCase()) {
    const text = `Defined protocol '${protocol}' in EXPOSE instruction should be lowercase`
    return [{ rule: 'ExposeProtoCasing', range, text }]
  }
  if (!/^[\d.:[\]a-f]*:/.test(value) || value.includes('$')) return []
  const text = `EXPOSE instruction should not define an IP address or host-port mapping, found '${value}'`
  return [{ rule: 'ExposeInvalidFormat', range, text }]
}
