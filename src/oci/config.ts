import * as v from 'valibot'
import { invalid } from '#base'
import { parseJson } from './json.ts'
import { annotations, diffId, optional, text } from './schema.ts'
import type { HistoryEntry, ImageConfig, RunConfig } from './types.ts'

const KNOWN = ['architecture', 'os', 'variant', 'created', 'author', 'config', 'rootfs', 'history'] as const

const texts = v.array(text)
const whole = v.pipe(v.number(), v.safeInteger())
const emptySet = v.pipe(
  v.record(text, v.unknown()),
  v.transform((set) => Object.fromEntries(Object.keys(set).map((key) => [key, {}] as const))),
)

const healthcheck = v.object({
  Test: optional(texts),
  Interval: optional(whole),
  Timeout: optional(whole),
  StartPeriod: optional(whole),
  StartInterval: optional(whole),
  Retries: optional(whole),
})

/** Docker's order of the members (container.Config), which the bytes keep. */
const runMembers = {
  User: optional(text),
  ExposedPorts: optional(emptySet),
  Env: optional(texts),
  Cmd: v.optional(v.nullable(texts)),
  Healthcheck: optional(healthcheck),
  ArgsEscaped: optional(v.boolean()),
  Volumes: optional(emptySet),
  WorkingDir: optional(text),
  Entrypoint: v.optional(v.nullable(texts)),
  OnBuild: optional(texts),
  Labels: optional(annotations),
  StopSignal: optional(text),
  StopTimeout: optional(whole),
  Shell: optional(texts),
}

const historyEntry = v.looseObject({
  created: optional(text),
  author: optional(text),
  created_by: optional(text),
  comment: optional(text),
  empty_layer: optional(v.boolean()),
})

const imageConfig = v.looseObject({
  architecture: optional(text),
  os: optional(text),
  variant: optional(text),
  created: optional(text),
  author: optional(text),
  config: optional(v.looseObject(runMembers)),
  rootfs: v.object({ type: v.literal('layers'), diff_ids: optional(v.array(diffId)) }),
  history: optional(v.array(historyEntry)),
})

/**
 * An image config (image-spec, config.md, and Docker's own). Members that are not known are kept: at the top in
 * `other`, inside `config` and `history` where they stand. Null members count as absent, but for Cmd and Entrypoint.
 */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const found = parseJson(bytes, imageConfig, 'image config')
  const known = new Set<string>(KNOWN)
  const other = Object.entries(found).filter(([key]) => !known.has(key))
  const history = (found.history ?? []).map((entry): HistoryEntry => compact<HistoryEntry>(entry))
  const config: ImageConfig = {
    ...compact<Pick<ImageConfig, 'variant' | 'created' | 'author'>>({
      variant: found.variant || undefined,
      created: found.created,
      author: found.author,
    }),
    architecture: found.architecture ?? '',
    os: found.os || 'linux',
    config: compact<RunConfig>(found.config ?? {}),
    rootfs: { type: 'layers', diff_ids: found.rootfs.diff_ids ?? [] },
    history,
    ...(other.length > 0 && { other: Object.fromEntries(other) }),
  }
  checkHistory(config)
  return config
}

/** The bytes of a config: top-level keys sorted, those of `config` in Docker's order, no white space; equal values give equal bytes. */
export function formatImageConfig(config: ImageConfig): Buffer {
  const { other = {}, ...known } = config
  const members = {
    ...other,
    ...known,
    config: orderRunConfig(config.config),
    rootfs: { type: config.rootfs.type, diff_ids: config.rootfs.diff_ids },
    history: config.history.map(orderHistory),
  }
  return Buffer.from(JSON.stringify(sortKeys(members)))
}

/** The history entries that made a layer, in order: entry n belongs to diff id n (fewer where the image tells none). */
export function layerHistory(config: ImageConfig): readonly HistoryEntry[] {
  return config.history.filter((entry) => entry.empty_layer !== true)
}

function checkHistory(config: ImageConfig): void {
  const told = layerHistory(config).length
  const layers = config.rootfs.diff_ids.length
  if (told > layers) throw invalid(`cannot read image config: ${told} non-empty history entries for ${layers} layers`)
}

function orderRunConfig(config: RunConfig): object {
  const entries = Object.entries(config).filter(([, value]) => value !== undefined)
  const order = Object.keys(runMembers)
  const rank = (key: string): number => (order.includes(key) ? order.indexOf(key) : order.length)
  entries.sort(([a], [b]) => rank(a) - rank(b) || compare(a, b))
  return Object.fromEntries(entries.map(([key, value]) => [key, isRecord(value) ? sortOrCheck(key, value) : value]))
}

function sortOrCheck(key: string, value: object): object {
  if (key !== 'Healthcheck') return sortKeys(value)
  const order = Object.keys(healthcheck.entries)
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(entries.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)))
}

function orderHistory(entry: HistoryEntry): object {
  const { created, author, created_by, comment, empty_layer, ...rest } = entry
  return compact({ created, author, created_by, comment, empty_layer, ...rest })
}

function sortKeys(value: object): object {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => compare(a, b)),
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The same value without undefined members, at any depth of plain objects. */
function compact<T extends object>(value: object): T {
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(entries.map(([key, member]) => [key, isRecord(member) ? compact(member) : member])) as T
}
