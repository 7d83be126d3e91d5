import { invalid } from '#base'
import type { EndpointRequest } from '#engine'
import { type ApiVersion, compareVersions, type EndpointBody, parseEndpointBody } from '#wire'

/** What the body of a create says of the networks to join. */
export interface EndpointsGiven {
  /** bridge, host, none, container:…, or a network's name or id. */
  readonly mode: string
  /** `NetworkingConfig.EndpointsConfig`; in Go's words «default» is the default bridge. */
  readonly endpoints: Readonly<Record<string, unknown>>
  /** The container's own address of before API 1.44. */
  readonly macAddress: string
  readonly version: ApiVersion
}

/** Since then each endpoint has an address of its own, and there may be several of them. */
export const SEVERAL_SINCE = { major: 1, minor: 44 }

/** True where containers are joined to it by endpoints with settings. */
export function isJoined(mode: string): boolean {
  return mode !== 'host' && mode !== 'none' && !mode.startsWith('container:')
}

/** True for networks that users make. */
export function isUserDefined(mode: string): boolean {
  return isJoined(mode) && mode !== 'bridge'
}

/** The networks to join, that of the mode first; none where there is nothing to join. Throws `invalid` in Docker's words. */
export function endpointRequests({ mode, endpoints, macAddress, version }: EndpointsGiven): readonly EndpointRequest[] {
  const isOld = compareVersions(version, SEVERAL_SINCE) < 0
  const names = Object.keys(endpoints)
  if (isOld && names.length > 1) {
    throw invalid(`Container cannot be created with multiple network endpoints: ${names.join(', ')}`)
  }
  if (isOld && macAddress !== '' && !isJoined(mode)) {
    throw invalid('conflicting options: mac-address and the network mode')
  }
  const wanted = new Map(names.map((name) => [name === 'default' ? 'bridge' : name, requestOf(name, endpoints[name])]))
  if (!isJoined(mode)) return []
  const requests = withAddress([...wanted.values()], { mode, macAddress, isOld })
  for (const request of requests) checkMac(request, `invalid config for network ${request.network}: `)
  return requests.toSorted((one, other) => Number(other.network === mode) - Number(one.network === mode))
}

function withAddress(
  requests: readonly EndpointRequest[],
  { mode, macAddress, isOld }: { readonly mode: string; readonly macAddress: string; readonly isOld: boolean },
): readonly EndpointRequest[] {
  const plain = isOld ? requests.map(withoutAddress) : requests
  if (macAddress === '') return plain
  const main = plain.find(({ network }) => network === mode) ?? plainEndpoint(mode)
  if (main.macAddress !== undefined && main.macAddress.toLowerCase() !== macAddress.toLowerCase()) {
    throw invalid(
      'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
    )
  }
  return [{ ...main, macAddress }, ...plain.filter((request) => request !== main)]
}

function withoutAddress({ macAddress: _macAddress, ...request }: EndpointRequest): EndpointRequest {
  return request
}

/** An endpoint that nothing is asked of. */
export function plainEndpoint(network: string): EndpointRequest {
  return { network, linkLocal: [], aliases: [], links: [], driverOptions: {}, gwPriority: 0 }
}

function requestOf(name: string, value: unknown): EndpointRequest {
  const network = name === 'default' ? 'bridge' : name
  if (value === null) throw invalid(`invalid config for network ${network}: EndpointsConfig is nil`)
  return endpointRequest(network, parseEndpointBody(value, `NetworkingConfig.EndpointsConfig.${name}`))
}

/** What one endpoint of a body asks for. */
export function endpointRequest(network: string, body: EndpointBody): EndpointRequest {
  const { IPAMConfig, MacAddress } = body
  return {
    network,
    ...(IPAMConfig?.IPv4Address && { address: IPAMConfig.IPv4Address }),
    ...(IPAMConfig?.IPv6Address && { address6: IPAMConfig.IPv6Address }),
    linkLocal: IPAMConfig?.LinkLocalIPs ?? [],
    ...(MacAddress && { macAddress: MacAddress }),
    aliases: body.Aliases ?? [],
    links: body.Links ?? [],
    driverOptions: body.DriverOpts,
    gwPriority: body.GwPriority ?? 0,
  }
}

const MAC = /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i

/** Throws `invalid` where a MAC address is none. What a network can give is the engine's to say. */
export function checkMac({ macAddress }: EndpointRequest, what = ''): void {
  if (macAddress !== undefined && !MAC.test(macAddress)) throw invalid(`${what}invalid MAC address ${macAddress}`)
}
