import { posix } from 'node:path'
import { EngineError } from '#base'
import type { CommandForm, HealthcheckInstruction, Instruction, Pair } from '#dockerfile'
import type { RunConfig } from '#oci'
import { formatDuration, plainList, quotedList } from './go-format.ts'
import { exposedPorts } from './ports.ts'
import { checkSignal } from './signals.ts'
import { shellOf } from './state.ts'
import type { StageState } from './state.ts'

/** What a metadata instruction does: the new settings, and the words of its history entry after «#(nop) ». */
export interface MetadataChange {
  readonly config: RunConfig
  readonly text: string
  readonly author?: string
  readonly commandGiven?: boolean
}

/** Carries out an instruction (already expanded) that changes no files; undefined for all others. */
export function applyMetadata(
  state: Pick<StageState, 'config' | 'commandGiven'>,
  node: Instruction,
): MetadataChange | undefined {
  const { config } = state
  if (node.kind === 'env') return { config: withEnvironment(config, node.pairs), text: `ENV ${pairsText(node.pairs)}` }
  if (node.kind === 'label') return applyLabels(config, node.pairs)
  if (node.kind === 'maintainer') return { config, author: node.value, text: `MAINTAINER ${node.value}` }
  if (node.kind === 'expose') return applyExpose(config, node.values)
  if (node.kind === 'user') return { config: { ...config, User: node.value }, text: `USER ${node.value}` }
  if (node.kind === 'stopsignal') return applySignal(config, node.value)
  if (node.kind === 'onbuild') return applyOnbuild(config, node.trigger)
  if (node.kind === 'healthcheck') return applyHealthcheck(config, node)
  if (node.kind === 'cmd') return applyCommand(config, node.command)
  if (node.kind === 'entrypoint') return applyEntrypoint(state, node.command)
  if (node.kind === 'shell')
    return { config: { ...config, Shell: node.values }, text: `SHELL ${plainList(node.values)}` }
  if (node.kind === 'volume') return applyVolumes(config, node.values)
  return undefined
}

/** «/bin/sh -c #(nop)  CMD ["sh"]»: how the classic builder writes an instruction that runs nothing. */
export function createdBy(config: RunConfig, text: string): string {
  return `${shellOf(config).join(' ')} #(nop) ${text}`
}

export function pairsText(pairs: readonly Pair[]): string {
  return pairs.map((pair) => `${pair.key}=${pair.value}`).join(' ')
}

/** The argument vector of a command: exec form as it is, shell form behind the shell. */
export function commandLine(config: RunConfig, command: CommandForm): readonly string[] {
  return command.form === 'exec' ? command.args : [...shellOf(config), command.line]
}

/** An absolute path from a WORKDIR or a destination, as Docker joins them. */
export function resolveWorkdir(config: RunConfig, path: string): string {
  return posix.resolve('/', config.WorkingDir ?? '/', path)
}

function withEnvironment(config: RunConfig, pairs: readonly Pair[]): RunConfig {
  const lines = [...(config.Env ?? [])]
  for (const { key, value } of pairs) {
    const at = lines.findIndex((line) => line.startsWith(`${key}=`) || line === key)
    if (at < 0) lines.push(`${key}=${value}`)
    else lines[at] = `${key}=${value}`
  }
  return { ...config, Env: lines }
}

/** LABEL. */
export function applyLabels(config: RunConfig, pairs: readonly Pair[]): MetadataChange {
  const added = Object.fromEntries(pairs.map((pair) => [pair.key, pair.value]))
  return { config: { ...config, Labels: { ...config.Labels, ...added } }, text: `LABEL ${pairsText(pairs)}` }
}

function emptySet(names: readonly string[]): Readonly<Record<string, Record<string, never>>> {
  return Object.fromEntries(names.map((name) => [name, {}]))
}

function applyExpose(config: RunConfig, specs: readonly string[]): MetadataChange {
  const ports = emptySet(specs.flatMap((spec) => exposedPorts(spec)))
  return {
    config: { ...config, ExposedPorts: { ...config.ExposedPorts, ...ports } },
    text: `EXPOSE ${specs.toSorted().join(' ')}`,
  }
}

function applyVolumes(config: RunConfig, paths: readonly string[]): MetadataChange {
  const volumes = { ...config.Volumes, ...emptySet(paths.map((path) => path.trim())) }
  return { config: { ...config, Volumes: volumes }, text: `VOLUME ${plainList(paths)}` }
}

function applySignal(config: RunConfig, signal: string): MetadataChange {
  checkSignal(signal)
  return { config: { ...config, StopSignal: signal }, text: `STOPSIGNAL ${signal}` }
}

function applyOnbuild(config: RunConfig, trigger: string): MetadataChange {
  return { config: { ...config, OnBuild: [...(config.OnBuild ?? []), trigger] }, text: `ONBUILD ${trigger}` }
}

function applyCommand(config: RunConfig, command: CommandForm): MetadataChange {
  const args = commandLine(config, command)
  return {
    config: { ...config, Cmd: args.length > 0 ? args : null },
    commandGiven: true,
    text: `CMD ${quotedList(args)}`,
  }
}

/** A new entrypoint takes a CMD that came from the parent away. */
function applyEntrypoint(state: Pick<StageState, 'config' | 'commandGiven'>, command: CommandForm): MetadataChange {
  const args = commandLine(state.config, command)
  const kept = state.commandGiven ? {} : { Cmd: null }
  return {
    config: { ...state.config, ...kept, Entrypoint: args.length > 0 ? args : null },
    text: `ENTRYPOINT ${quotedList(args)}`,
  }
}

function applyHealthcheck(config: RunConfig, node: HealthcheckInstruction): MetadataChange {
  const test = node.command === undefined ? ['NONE'] : healthTest(node.command)
  const times = [node.interval, node.timeout, node.startPeriod, node.startInterval].map(formatDuration)
  const healthcheck = {
    Test: test,
    ...positive('Interval', node.interval),
    ...positive('Timeout', node.timeout),
    ...positive('StartPeriod', node.startPeriod),
    ...positive('StartInterval', node.startInterval),
    ...positive('Retries', node.retries),
  }
  return {
    config: { ...config, Healthcheck: healthcheck },
    text: `HEALTHCHECK &{${plainList(test)} ${times.join(' ')} ${node.retries}}`,
  }
}

function healthTest(command: CommandForm): readonly string[] {
  return command.form === 'exec' ? ['CMD', ...command.args] : ['CMD-SHELL', command.line]
}

function positive(name: string, value: number): Readonly<Record<string, number>> {
  return value > 0 ? { [name]: value } : {}
}

/** An error of an instruction's meaning, not of its text; the caller adds the place. */
export function isMeaningError(error: unknown): error is EngineError {
  return error instanceof EngineError && error.name === 'EngineError' && error.kind === 'invalid'
}
