import { parseTrigger, sourceError } from '#dockerfile'
import { invalid } from '#base'
import type { RunConfig } from '#oci'
import { applyMetadata, isMeaningError, resolveWorkdir } from './metadata.ts'

/** Dockerfile lines of `commit --change` and `import --change` on a config; only settings are allowed. Throws `DockerfileError`. */
export function applyChanges(config: RunConfig, lines: readonly string[]): RunConfig {
  return lines.reduce((current, line) => applyChange(current, line), config)
}

function applyChange(config: RunConfig, line: string): RunConfig {
  const { instruction, source } = parseTrigger(line, 'change')
  if (instruction.kind === 'workdir') return { ...config, WorkingDir: resolveWorkdir(config, instruction.value) }
  try {
    const change = applyMetadata({ config, commandGiven: true }, instruction)
    if (change === undefined || instruction.kind === 'maintainer' || instruction.kind === 'shell')
      throw invalid(`${instruction.keyword.toUpperCase()} is not a valid change command`)
    return change.config
  } catch (error) {
    if (isMeaningError(error)) throw sourceError(source, instruction.range, error.message)
    throw error
  }
}
