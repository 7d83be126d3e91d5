import { isAbsolute } from 'node:path'
import { invalid } from '#base'
import type { BuildRequest } from '#engine'
import { parsePlatform, parseReference, type Reference } from '#oci'
import { parseAuthConfigHeader, parseNullableStringMap, parseStringMap } from '#wire'
import type { Exchange, Query } from '#api/exchange'
import { credentialsFrom } from './transfer-routes.ts'

/** What clients get told where they speak BuildKit's protocol. */
export const CLASSIC_ONLY =
  "mica does not yet speak BuildKit's protocol: set DOCKER_BUILDKIT=0 and run docker build again, or use mica build"

/** Numbers and lists of POST /build that would change the outcome: refused by their flag where they are set. */
const NOT_YET: Readonly<Record<string, string>> = {
  cachefrom: '--cache-from',
  cgroupparent: '--cgroup-parent',
  cpuperiod: '--cpu-period',
  cpuquota: '--cpu-quota',
  cpusetcpus: '--cpuset-cpus',
  cpusetmems: '--cpuset-mems',
  cpushares: '--cpu-shares',
  extrahosts: '--add-host',
  isolation: '--isolation',
  memory: '--memory',
  memswap: '--memory-swap',
  outputs: '--output',
  securityopt: '--security-opt',
  shmsize: '--shm-size',
  squash: '--squash',
  ulimits: '--ulimit',
}
/** How clients say that one of them is not set. */
const NOT_SET = new Set(['0', '[]', '{}', 'null', 'false', 'default'])

/** The query, the head and the body of POST /build; what is not carried out is refused by its flag. */
export function parseBuild(exchange: Exchange): BuildRequest {
  const { query } = exchange
  refuseUnsupported(query)
  return {
    context: contextOf(exchange),
    dockerfile: dockerfileOf(exchange),
    tags: query.list('t').map((name) => tagOf(name)),
    ...present('target', query.text('target')),
    buildArgs: buildArgsOf(query),
    labels: parseStringMap(query.json('labels'), 'labels'),
    noCache: query.flag('nocache'),
    pull: query.flag('pull'),
    network: networkOf(query.text('networkmode')),
    ...present('platform', platformOf(query)),
    ...present('credentialsFor', credentialsFor(exchange.header('x-registry-config'))),
  }
}

function refuseUnsupported(query: Query): void {
  if (query.text('version') === '2' || query.text('remote') === 'client-session') throw invalid(CLASSIC_ONLY)
  const remote = query.text('remote')
  if (remote !== undefined)
    throw invalid(`cannot build from ${remote}: contexts of other places are not yet carried out; fetch it first`)
  for (const [name, flag] of Object.entries(NOT_YET)) {
    const values = query.list(name).filter((value) => !NOT_SET.has(value))
    if (values.length > 0) throw invalid(`${flag}: not yet carried out by mica for builds`)
  }
  if (!query.flag('rm', true) && !query.flag('forcerm'))
    throw invalid('--rm=false: not yet carried out by mica, whose builds leave no containers behind')
}

/** In place only for callers on this machine: the path is one of the daemon's own host. */
function contextOf({ query, local, body, bodyOnConnection }: Exchange): BuildRequest['context'] {
  const path = query.text('contextpath')
  if (path === undefined) return { kind: 'tar', bytes: body, connection: bodyOnConnection }
  if (!local) throw invalid('contextpath: a context is read in place over the unix socket alone')
  if (!isAbsolute(path)) throw invalid(`contextpath: ${path} is not an absolute path`)
  return { kind: 'folder', path }
}

function dockerfileOf({ query, local }: Exchange): BuildRequest['dockerfile'] {
  const text = query.text('dockerfiletext')
  if (text !== undefined && local) return { text }
  return { path: query.text('dockerfile') ?? 'Dockerfile' }
}

function tagOf(name: string): Reference {
  const reference = parseReference(name)
  if (reference.digest !== undefined) throw invalid('build tag cannot contain a digest')
  return reference
}

/** null is a name without a value: one that the client's environment lacks. */
function buildArgsOf(query: Query): BuildRequest['buildArgs'] {
  const given = parseNullableStringMap(query.json('buildargs'), 'buildargs')
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value ?? undefined]))
}

function networkOf(mode: string | undefined): BuildRequest['network'] {
  if (mode === undefined || mode === 'default' || mode === 'bridge') return 'default'
  if (mode === 'none' || mode === 'host') return mode
  throw invalid(`--network: ${mode} is not yet carried out by mica for builds; default, none and host are`)
}

function platformOf(query: Query): BuildRequest['platform'] {
  const text = query.text('platform')
  return text === undefined ? undefined : parsePlatform(text)
}

/** docker.io's credentials are kept under the address of its old index. */
const DOCKER_KEYS = ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io']

/** Credentials by host out of an `X-Registry-Config` header; undefined where there are none. */
export function credentialsFor(header: string | undefined): BuildRequest['credentialsFor'] {
  const known = parseAuthConfigHeader(header)
  if (Object.keys(known).length === 0) return undefined
  return (domain) => {
    const keys = domain === 'docker.io' ? DOCKER_KEYS : [domain, `https://${domain}`, `https://${domain}/`]
    const key = keys.find((candidate) => Object.hasOwn(known, candidate))
    const found = key === undefined ? undefined : known[key]
    return found && credentialsFrom(found)
  }
}

function present<Name extends string, T>(name: Name, value: T | undefined): { readonly [K in Name]?: T } | object {
  return value === undefined ? {} : { [name]: value }
}
