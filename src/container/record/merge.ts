import { hostname } from 'node:os'
import { invalid } from '#base'
import type { RunConfig } from '#oci'
import type { CreateRequest } from './types.ts'

/** What really runs: the image's settings with the request over them. */
export interface MergedConfig {
  readonly path: string
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly entrypoint: readonly string[] | undefined
  readonly command: readonly string[] | undefined
  readonly user: string
  readonly workingDir: string
  readonly labels: Readonly<Record<string, string>>
  readonly exposedPorts: readonly string[]
  readonly volumes: readonly string[]
  readonly stopSignal: string
  readonly hostname: string
}

/** Docker's rules: an entrypoint that is given drops the image's command; env and labels by their names. */
export function mergeConfig(request: CreateRequest, image: RunConfig, id: string): MergedConfig {
  const { entrypoint, command } = mergeCommand(request, image)
  const [path, ...args] = [...(entrypoint ?? []), ...(command ?? [])]
  if (path === undefined) throw invalid('no command specified')
  return {
    path,
    args,
    env: mergeEnv(request.env, image.Env ?? []),
    entrypoint,
    command,
    user: request.user ?? image.User ?? '',
    workingDir: request.workingDir ?? image.WorkingDir ?? '',
    labels: { ...image.Labels, ...request.labels },
    exposedPorts: mergePorts(request, image),
    volumes: unique([...request.volumes, ...Object.keys(image.Volumes ?? {})]),
    stopSignal: request.stopSignal ?? image.StopSignal ?? 'SIGTERM',
    hostname: request.hostname ?? (request.networkMode === 'host' ? hostname() : id.slice(0, 12)),
  }
}

function mergePorts(request: CreateRequest, image: RunConfig): readonly string[] {
  const published = request.ports.map((port) => `${port.containerPort}/${port.protocol}`)
  return unique([...request.exposedPorts, ...Object.keys(image.ExposedPorts ?? {}), ...published])
}

function mergeCommand(
  request: CreateRequest,
  image: RunConfig,
): { readonly entrypoint: readonly string[] | undefined; readonly command: readonly string[] | undefined } {
  const asked = request.entrypoint
  const given = asked !== undefined && asked.length > 0
  const own = request.command !== undefined && request.command.length > 0 ? request.command : undefined
  const command = own ?? (given ? undefined : (image.Cmd ?? undefined))
  const merged = given ? asked : (image.Entrypoint ?? undefined)
  // `--entrypoint ""` comes as one empty word: none at all.
  const entrypoint = merged?.length === 1 && merged[0] === '' ? undefined : merged
  return { entrypoint: entrypoint?.length === 0 ? undefined : entrypoint, command }
}

function mergeEnv(own: readonly string[], image: readonly string[]): readonly string[] {
  const names = new Set(own.map(nameOf))
  return [...own, ...image.filter((entry) => !names.has(nameOf(entry)))]
}

function nameOf(entry: string): string {
  const at = entry.indexOf('=')
  return at < 0 ? entry : entry.slice(0, at)
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)]
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The environment of the container's process: what Docker adds first, what was asked for over it; a bare name is taken away. */
export function processEnv(facts: {
  readonly hostname: string
  readonly terminal: boolean
  /** Of its links. */
  readonly links: readonly string[]
  readonly env: readonly string[]
}): readonly string[] {
  const terminal = facts.terminal ? ['TERM=xterm'] : []
  const base = [DEFAULT_PATH, `HOSTNAME=${facts.hostname}`, ...terminal, ...facts.links]
  return overlayEnv(base, facts.env)
}

/** `over` laid over `base` by names; an entry without `=` takes its name away. */
export function overlayEnv(base: readonly string[], over: readonly string[]): readonly string[] {
  const entries = new Map(base.map((entry) => [nameOf(entry), entry]))
  for (const entry of over) {
    if (entry.includes('=')) entries.set(nameOf(entry), entry)
    else entries.delete(entry)
  }
  return [...entries.values()]
}
