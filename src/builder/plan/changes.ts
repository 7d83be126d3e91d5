import { parseTrigger, sourceError } from '#dockerfile'
import { invalid } from '#base'
import type { RunConfig } from '#oci'
import { applyMetadata, isMeaningError, resolveWorkdir } from './metadata.ts'

const CHANGES: ReadonlySet<string> = new Set(
  'cmd entrypoint env expose healthcheck label onbuild stopsignal user volume workdir'.split(' '),
)

/** Dockerfile lines of `commit --change` and `import --change` on a config; only settings are allowed, others are `invalid`. Throws `DockerfileError`. */
export function applyChanges(config: RunConfig, lines: readonly string[]): RunConfig {
  return lines.reduce((current, line) => applyChange(current, line), config)
}

function applyChange(config: RunConfig, line: string): RunConfig {
  const word = /^\s*(\S*)/.exec(line)?.[1] ?? ''
  if (!CHANGES.has(word.toLowerCase())) throw invalid(`${word.toUpperCase()} is not a valid change command`)
  const { instruction, source } = parseTrigger(line, 'change')
  if (instruction.kind === 'workdir') return { ...config, WorkingDir: resolveWorkdir(config, instruction.value) }
  try {
    const change = applyMetadata({ config, commandGiven: true }, instruction)
    return change?.config ?? config
  } catch (error) {
    if (isMeaningError(error)) throw sourceError(source, instruction.range, error.message)
    throw error
  }
}
