import { isIP } from 'node:net'
import { invalid } from '#base'
import type { CreateRequest } from '#engine'
import { type ApiVersion, compareVersions, type ConfigBody, type HostConfigBody, parseObjectBody } from '#wire'
import { endpointRequests, isUserDefined, plainEndpoint, SEVERAL_SINCE } from '#api/network'
import { portRequests } from './port-request.ts'

/** What the body of a create says of networks, ports, links and names. */
export interface NetworkingGiven {
  readonly config: ConfigBody
  readonly host: HostConfigBody
  /** `NetworkingConfig`. */
  readonly networking: unknown
  readonly version: ApiVersion
}

type NetworkRequests = Pick<
  CreateRequest,
  'networkMode' | 'networks' | 'ports' | 'publishAll' | 'links' | 'dns' | 'extraHosts'
>

/** All of it as a request; throws `invalid` in Docker's words where options are in conflict. */
export function networkRequests({ config, host, networking, version }: NetworkingGiven): NetworkRequests {
  const mode = config.NetworkDisabled === true ? 'none' : modeOf(host.NetworkMode ?? '')
  refuseConflicts(mode, config, host)
  const { EndpointsConfig } = parseObjectBody(networking, 'NetworkingConfig')
  const endpoints = parseObjectBody(EndpointsConfig, 'NetworkingConfig.EndpointsConfig')
  const networks = endpointRequests({ mode, endpoints, macAddress: config.MacAddress ?? '', version })
  const links = (host.Links ?? []).map(checkLink)
  return {
    networkMode: mode,
    networks: isUserDefined(mode) ? withLinks(mode, networks, links) : networks,
    ports: portRequests(host.PortBindings),
    publishAll: host.PublishAllPorts === true,
    links: mode === 'bridge' ? links : [],
    dns: { servers: (host.Dns ?? []).map(checkServer), search: host.DnsSearch ?? [], options: host.DnsOptions ?? [] },
    extraHosts: (host.ExtraHosts ?? []).map(checkHost),
  }
}

/** What is to be said of a request that is carried out all the same; `networking` as in the body. */
export function networkWarnings(
  { networkMode, ports, publishAll, asGiven }: CreateRequest,
  networking: unknown,
  version: ApiVersion,
): readonly string[] {
  const isWide = Boolean(asGiven.config['MacAddress']) && compareVersions(version, SEVERAL_SINCE) >= 0
  return [
    ...(networkMode === 'host' && (ports.length > 0 || publishAll)
      ? ['Published ports are discarded when using host network mode']
      : []),
    ...(isWide && !JSON.stringify(networking ?? null).includes('"MacAddress":"')
      ? ['The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.']
      : []),
  ]
}

/** `default` is Docker's word for its default bridge. */
function modeOf(mode: string): string {
  return mode === '' || mode === 'default' ? 'bridge' : mode
}

function refuseConflicts(mode: string, config: ConfigBody, host: HostConfigBody): void {
  if (mode === 'host' && (host.Links ?? []).length > 0) {
    throw invalid(
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    )
  }
  if (!mode.startsWith('container:')) return
  if (mode === 'container:') throw invalid('invalid network mode: invalid container format container:<name|id>')
  const conflict = containerConflicts(config, host).find(([given]) => given)
  if (conflict) throw invalid(`conflicting options: ${conflict[1]}`)
}

/** What cannot be said of a container that shares the network of another one, in the order in which Docker looks. */
function containerConflicts(config: ConfigBody, host: HostConfigBody): readonly (readonly [boolean, string])[] {
  const some = (list: readonly unknown[] | null | undefined): boolean => (list ?? []).length > 0
  return [
    [(config.Hostname ?? '') !== '', 'hostname and the network mode'],
    [some(host.Links), "container type network can't be used with links. This would result in undefined behavior"],
    [some(host.Dns), 'dns and the network mode'],
    [some(host.ExtraHosts), 'custom host-to-IP mapping and the network mode'],
    [(config.MacAddress ?? '') !== '', 'mac-address and the network mode'],
    [
      some(Object.keys(host.PortBindings ?? {})) || host.PublishAllPorts === true,
      'port publishing and the container type network mode',
    ],
    [some(Object.keys(config.ExposedPorts ?? {})), 'port exposing and the container type network mode'],
  ]
}

/** On a network of a user's own a link is a name for one container. */
function withLinks(
  mode: string,
  networks: CreateRequest['networks'],
  links: readonly string[],
): CreateRequest['networks'] {
  if (links.length === 0) return networks
  const all = networks.length === 0 ? [plainEndpoint(mode)] : networks
  return all.map((one) => (one.network === mode ? { ...one, links: [...new Set([...one.links, ...links])] } : one))
}

function checkLink(text: string): string {
  if (text === '') throw invalid('empty string specified for links')
  if (text.split(':').length > 2) throw invalid(`bad format for links: ${text}`)
  return text
}

function checkServer(text: string): string {
  if (isIP(text) === 0) throw invalid(`bad nameserver address: ${text}`)
  return text
}

/** «name:address»; of several colons the first ends the name. */
function checkHost(text: string): string {
  const at = text.indexOf(':')
  if (at <= 0) throw invalid(`bad format for add-host: "${text}"`)
  const address = text.slice(at + 1)
  if (address !== 'host-gateway' && isIP(address) === 0) throw invalid(`invalid IP address in add-host: "${address}"`)
  return text
}
