import { isIP, isIPv4, isIPv6 } from 'node:net'
import { invalid } from '#base'

const PREFIX = 'com.docker.network.'
export const OPTION = {
  bridgeName: `${PREFIX}bridge.name`,
  icc: `${PREFIX}bridge.enable_icc`,
  masquerade: `${PREFIX}bridge.enable_ip_masquerade`,
  hostBinding: `${PREFIX}bridge.host_binding_ipv4`,
  defaultBridge: `${PREFIX}bridge.default_bridge`,
  inhibitIpv4: `${PREFIX}bridge.inhibit_ipv4`,
  mode: `${PREFIX}bridge.gateway_mode_ipv4`,
  mode6: `${PREFIX}bridge.gateway_mode_ipv6`,
  source: `${PREFIX}host_ipv4`,
  source6: `${PREFIX}host_ipv6`,
  mtu: `${PREFIX}driver.mtu`,
  interfacePrefix: `${PREFIX}container_iface_prefix`,
  /** Of an endpoint: the link's name in the container. */
  interfaceName: `${PREFIX}endpoint.ifname`,
} as const

type Options = Readonly<Record<string, string>>

const FLAGS: readonly string[] = [OPTION.icc, OPTION.masquerade, OPTION.defaultBridge, OPTION.inhibitIpv4]
/** They get to the packet filter as they are. */
const ADDRESSES: readonly (readonly [string, (text: string) => boolean])[] = [
  [OPTION.source, isIPv4],
  [OPTION.source6, (text) => isIPv6(text) && !text.includes('%')],
  [OPTION.hostBinding, (text) => isIP(text) !== 0 && !text.includes('%')],
]
const MAX_MTU = 65_535
/** What may come in from outside to a bridge's containers. */
export const GATEWAY_MODES = ['nat', 'nat-unprotected', 'routed', 'isolated'] as const

/** Throws `invalid` in Docker's words for a value that its option cannot have; options that nobody knows are let through. */
export function checkOptions(options: Options): void {
  for (const name of FLAGS) {
    const value = options[name]
    if (value !== undefined && readFlag(value) === undefined)
      throw invalid(`failed to parse ${name} value: ${value} (strconv.ParseBool: parsing "${value}": invalid syntax)`)
  }
  for (const [name, isAddress] of ADDRESSES) {
    const value = options[name]
    if (value !== undefined && !isAddress(value)) throw invalid(`failed to parse ${name} value: ${value} (nil ip)`)
  }
  const bridge = options[OPTION.bridgeName] ?? ''
  if (!/^[A-Za-z0-9_.@-]*$/.test(bridge)) throw invalid(`invalid bridge name: ${JSON.stringify(bridge)}`)
  const mtu = options[OPTION.mtu]
  if (mtu === undefined) return
  if (!/^[+-]?\d+$/.test(mtu))
    throw invalid(`failed to parse ${OPTION.mtu} value: ${mtu} (strconv.Atoi: parsing "${mtu}": invalid syntax)`)
  if (Number(mtu) < 0 || Number(mtu) > MAX_MTU) throw invalid(`invalid MTU number: ${Number(mtu)}`)
}

/** Of a bridge. Throws `invalid` in Docker's words. */
export function checkGatewayModes(options: Options, isInternal: boolean): void {
  for (const name of [OPTION.mode, OPTION.mode6]) {
    const value = options[name]
    if (value === undefined) continue
    if (!GATEWAY_MODES.some((mode) => mode === value))
      throw invalid(`failed to parse ${name} value: ${value} (unknown gateway mode ${value})`)
    if (value === 'isolated' && !isInternal)
      throw invalid(`gateway mode 'isolated' can only be used for an internal network`)
  }
}

/** Go's booleans. */
function readFlag(text: string): boolean | undefined {
  if (/^(1|t|T|true|True|TRUE)$/.test(text)) return true
  return /^(0|f|F|false|False|FALSE)$/.test(text) ? false : undefined
}

export function flagOf(options: Options, name: string, otherwise: boolean): boolean {
  return readFlag(options[name] ?? '') ?? otherwise
}

/** The MTU that was asked for; undefined where none was. */
export function mtuOf(options: Options): number | undefined {
  const mtu = Number(options[OPTION.mtu] ?? 0)
  return mtu > 0 ? mtu : undefined
}

/** How macvlan and ipvlan links are made. */
export interface UpperSettings {
  readonly parent: string | undefined
  readonly mode: string
  readonly flag: string
}

const MODES: Readonly<Record<string, readonly string[]>> = {
  macvlan: ['bridge', 'private', 'vepa', 'passthru'],
  ipvlan: ['l2', 'l3', 'l3s'],
}
const IPVLAN_FLAGS: readonly string[] = ['bridge', 'private', 'vepa']

/** Throws `invalid` in Docker's words. */
export function upperSettings(driver: 'macvlan' | 'ipvlan', options: Options): UpperSettings {
  const modes = MODES[driver] ?? []
  const mode = options[`${driver}_mode`] ?? modes[0] ?? ''
  const flag = options['ipvlan_flag'] ?? 'bridge'
  if (!modes.includes(mode))
    throw invalid(`requested ${driver} mode '${mode}' is not valid, '${modes[0]}' mode is the ${driver} driver default`)
  if (driver === 'ipvlan' && !IPVLAN_FLAGS.includes(flag))
    throw invalid(`requested ipvlan flag '${flag}' is not valid, 'bridge' is the ipvlan driver default`)
  return { parent: options['parent'] || undefined, mode, flag }
}
