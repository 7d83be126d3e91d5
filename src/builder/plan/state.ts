import { hash } from 'node:crypto'
import type { HistoryEntry, ImageConfig, ImageId, Platform, RunConfig } from '#oci'
import type { Variables } from '#dockerfile'

/** What the instructions so far made of an image, but for its files. */
export interface StageState {
  readonly platform: Platform
  readonly config: RunConfig
  readonly author?: string
  readonly history: readonly HistoryEntry[]
  /** Arguments in use: declared so far, with a value. */
  readonly args: ReadonlyMap<string, string>
  /** CMD was given in this Dockerfile: ENTRYPOINT then leaves it alone. */
  readonly commandGiven: boolean
  /** The image it began with, if any. */
  readonly base?: ImageId
  /** Members of the base's config that are passed on unread. */
  readonly other?: ImageConfig['other']
  /** Nothing was added to the base yet. */
  readonly untouched: boolean
  /** Names this state: the same instructions on the same base, with the same times. */
  readonly key: string
}

/** A sha256 in hex over values; they keep apart what stands in different places. */
export function hashOf(...values: readonly unknown[]): string {
  return hash('sha256', JSON.stringify(values))
}

/** `NAME=value` lines as a map; a later one wins. */
export function environmentOf(config: RunConfig): ReadonlyMap<string, string> {
  return new Map((config.Env ?? []).map((line) => splitVariable(line)))
}

function splitVariable(line: string): [string, string] {
  const equals = line.indexOf('=')
  return equals < 0 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)]
}

/** What an instruction's variables mean here: ENV always beats ARG. */
export function variablesOf(state: StageState): Variables {
  const environment = environmentOf(state.config)
  return (name) => environment.get(name) ?? state.args.get(name)
}

const DEFAULT_SHELL: readonly string[] = ['/bin/sh', '-c']

export function shellOf(config: RunConfig): readonly string[] {
  return config.Shell !== undefined && config.Shell.length > 0 ? config.Shell : DEFAULT_SHELL
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** FROM gives a PATH to images that have none. */
export function withPath(config: RunConfig): RunConfig {
  if (environmentOf(config).has('PATH')) return config
  return { ...config, Env: [DEFAULT_PATH, ...(config.Env ?? [])] }
}

/** One more history entry; the state's name follows from it. */
export function advance(
  state: StageState,
  change: { readonly config?: RunConfig; readonly author?: string; readonly args?: ReadonlyMap<string, string> },
  entry: HistoryEntry,
): StageState {
  const author = change.author ?? state.author
  const written = author === undefined ? entry : { ...entry, author }
  return {
    ...state,
    ...change,
    history: [...state.history, written],
    untouched: false,
    key: hashOf('state', state.key, written, change.config ?? null, [...(change.args ?? [])]),
  }
}
