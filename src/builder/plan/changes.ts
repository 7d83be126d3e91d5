import { parseTrigger, sourceError } from '#dockerfile'
import { invalid } from '#base'
import type { RunConfig } from '#oci'
import { applyMetadata, isMeaningError, resolveWorkdir } from './metadata.ts'
import type { StageState } from './state.ts'

const CHANGES: ReadonlySet<string> = new Set(
  'cmd entrypoint env expose healthcheck label onbuild stopsignal user volume workdir'.split(' '),
)

/** Dockerfile lines of `commit --change` and `import --change` on a config; only settings are allowed, others are `invalid`. Throws `DockerfileError`. */
export function applyChanges(config: RunConfig, lines: readonly string[]): RunConfig {
  const begun: Changed = { config, commandGiven: false }
  return lines.reduce((current, line) => applyChange(current, line), begun).config
}

/** As a stage: an ENTRYPOINT takes the CMD away that no line gave. */
type Changed = Pick<StageState, 'config' | 'commandGiven'>

function applyChange(state: Changed, line: string): Changed {
  const { config } = state
  const word = /^\s*(\S*)/.exec(line)?.[1] ?? ''
  if (!CHANGES.has(word.toLowerCase())) throw invalid(`${word.toUpperCase()} is not a valid change command`)
  const { instruction, source } = parseTrigger(line, 'change')
  if (instruction.kind === 'workdir')
    return { ...state, config: { ...config, WorkingDir: resolveWorkdir(config, instruction.value) } }
  try {
    const change = applyMetadata(state, instruction)
    return { config: change?.config ?? config, commandGiven: state.commandGiven || change?.commandGiven === true }
  } catch (error) {
    if (isMeaningError(error)) throw sourceError(source, instruction.range, error.message)
    throw error
  }
}
