import { invalid } from '#base'
import type { CreateRequest } from '#engine'
import { hostPlatform, parsePlatform } from '#oci'
import {
  type ApiVersion,
  compareVersions,
  type ConfigBody,
  type HostConfigBody,
  negotiateVersion,
  parseConfigBody,
  parseHostConfigBody,
  parseObjectBody,
} from '#wire'
import { type BodyObject, refuseUnsupported, spellConfig, spellHostConfig } from './create-table.ts'
import { mountRequests, volumesFrom } from './mount-request.ts'
import { networkRequests, networkWarnings } from './network-request.ts'
import { checkExposedPort } from './port-request.ts'

/** What the query of a create says; of a call without a version the newest is meant. */
interface CreateQuery {
  readonly name: string | undefined
  readonly platform: string | undefined
  readonly version?: ApiVersion
}

/** The body of POST /containers/create as a request; what is not carried out is refused by its flag. */
export function parseCreate(body: unknown, { name, platform, version }: CreateQuery): CreateRequest {
  if (body === undefined) throw invalid('invalid JSON: got EOF while reading request body')
  const { HostConfig, NetworkingConfig, ...config } = spellConfig(parseObjectBody(body))
  if (Object.keys(config).length === 0) throw invalid('config cannot be empty in order to create a container')
  const hostConfig = spellHostConfig(parseObjectBody(HostConfig, 'HostConfig'))
  refuseUnsupported({ config, hostConfig })
  refusePlatform(platform)
  const networking = { networking: NetworkingConfig, version: version ?? negotiateVersion(undefined) }
  refuseImageMounts(hostConfig, networking.version)
  return requestOf({ config, hostConfig, name, networking })
}

/** What is to be said of a request that is carried out all the same. */
export function createWarnings(request: CreateRequest, body: unknown, version: ApiVersion): readonly string[] {
  const { NetworkingConfig } = spellConfig(parseObjectBody(body))
  return networkWarnings(request, NetworkingConfig, version)
}

interface Given {
  readonly config: BodyObject
  readonly hostConfig: BodyObject
  readonly name: string | undefined
  readonly networking: { readonly networking: unknown; readonly version: ApiVersion }
}

function requestOf({ config, hostConfig, name, networking }: Given): CreateRequest {
  const wanted = parseConfigBody(config)
  const host = parseHostConfigBody(hostConfig)
  if (wanted.Image === '') throw invalid('no command specified')
  return {
    ...present({ name: name?.replace(/^\//, '') }),
    ...fromConfig(wanted),
    ...streamsOf(wanted),
    ...fromHostConfig(host),
    ...networkRequests({ config: wanted, host, ...networking }),
    asGiven: { config, hostConfig },
  }
}

function fromConfig(wanted: ConfigBody) {
  return {
    ...present({ command: wanted.Cmd, entrypoint: wanted.Entrypoint, user: wanted.User }),
    ...present({
      workingDir: checkFolder(wanted.WorkingDir ?? ''),
      stopSignal: wanted.StopSignal,
      stopTimeout: wanted.StopTimeout,
    }),
    ...present({ hostname: wanted.Hostname, domainname: wanted.Domainname }),
    ...(wanted.Healthcheck && { healthcheck: { Test: wanted.Healthcheck.Test ?? [] } }),
    image: wanted.Image ?? '',
    env: (wanted.Env ?? []).map(checkVariable),
    labels: wanted.Labels ?? {},
    exposedPorts: Object.keys(wanted.ExposedPorts ?? {}).map(checkExposedPort),
    volumes: Object.keys(wanted.Volumes ?? {}),
  }
}

function streamsOf(wanted: ConfigBody): Pick<CreateRequest, 'tty' | 'openStdin' | 'stdinOnce' | 'attach'> {
  return {
    tty: wanted.Tty === true,
    openStdin: wanted.OpenStdin === true,
    stdinOnce: wanted.StdinOnce === true,
    attach: {
      stdin: wanted.AttachStdin === true,
      stdout: wanted.AttachStdout === true,
      stderr: wanted.AttachStderr === true,
    },
  }
}

/** Zeros are no size. */
function consoleSizeOf(given: HostConfigBody['ConsoleSize']): Pick<CreateRequest, 'consoleSize'> {
  const [rows = 0, columns = 0] = given ?? []
  return rows > 0 && columns > 0 ? { consoleSize: { rows, columns } } : {}
}

function fromHostConfig(host: HostConfigBody) {
  if ((host.ShmSize ?? 0) < 0) throw invalid('SHM size can not be less than 0')
  return {
    ...(host.ShmSize && { shmSize: host.ShmSize }),
    ...consoleSizeOf(host.ConsoleSize),
    ...logOf(host.LogConfig),
    mounts: mountRequests(host),
    ...(host.VolumesFrom && host.VolumesFrom.length > 0 && { volumesFrom: volumesFrom(host.VolumesFrom) }),
    autoRemove: host.AutoRemove === true,
    init: host.Init === true,
    privileged: host.Privileged === true,
    capAdd: host.CapAdd ?? [],
    capDrop: host.CapDrop ?? [],
    readonlyRoot: host.ReadonlyRootfs === true,
  }
}

/** An empty name is that of the daemon's own driver. */
function logOf(wanted: HostConfigBody['LogConfig']): Pick<CreateRequest, 'log'> {
  return wanted ? { log: { driver: wanted.Type ?? '', options: wanted.Config ?? {} } } : {}
}

/** Only the members that have a value: '' and null are how clients say «not given». */
function present<T extends Readonly<Record<string, unknown>>>(members: T): Present<T> {
  const kept = Object.entries(members).filter(([, value]) => value !== undefined && value !== null && value !== '')
  return Object.fromEntries(kept) as Present<T>
}

type Present<T> = { readonly [Key in keyof T]?: NonNullable<T[Key]> }

/** A name without a value takes the variable away; a value without a name is none. */
function checkVariable(text: string): string {
  if (text === '' || text.startsWith('=')) throw invalid(`invalid environment variable: ${text}`)
  return text
}

function checkFolder(path: string): string {
  if (path === '' || path.startsWith('/')) return path
  throw invalid(`the working directory '${path}' is invalid, it needs to be an absolute path`)
}

/** As Docker: a mount of a kind that the client's version of the API does not know. */
function refuseImageMounts(hostConfig: BodyObject, version: ApiVersion): void {
  if (compareVersions(version, IMAGE_MOUNTS_SINCE) >= 0) return
  const mounts = parseHostConfigBody(hostConfig).Mounts ?? []
  if (mounts.some(({ Type }) => Type === 'image')) throw invalid('Mount type "Image" needs API v1.48 or newer')
}

const IMAGE_MOUNTS_SINCE: ApiVersion = { major: 1, minor: 48 }

function refusePlatform(text: string | undefined): void {
  if (text === undefined) return
  const host = hostPlatform()
  const wanted = parsePlatform(text, host)
  if (wanted.os !== host.os || wanted.architecture !== host.architecture) {
    throw invalid(`--platform: not yet carried out by mica (${text} is not this machine's platform)`)
  }
}
