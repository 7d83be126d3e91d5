/** Shapes of volumes and networks in the Docker Engine API; keys as on the wire. */

export interface VolumeJson {
  readonly CreatedAt: string
  readonly Driver: string
  readonly Labels: Readonly<Record<string, string>> | null
  readonly Mountpoint: string
  readonly Name: string
  readonly Options: Readonly<Record<string, string>> | null
  readonly Scope: 'local'
  readonly UsageData?: { readonly RefCount: number; readonly Size: number }
}

export interface NetworkJson {
  readonly Name: string
  readonly Id: string
  readonly Created: string
  readonly Scope: 'local'
  readonly Driver: string
  readonly EnableIPv4: boolean
  readonly EnableIPv6: boolean
  readonly IPAM: {
    readonly Driver: string
    readonly Options: Readonly<Record<string, string>> | null
    readonly Config: readonly IpamJson[] | null
  }
  readonly Internal: boolean
  readonly Attachable: boolean
  readonly Ingress: boolean
  readonly ConfigFrom: { readonly Network: string }
  readonly ConfigOnly: boolean
  readonly Containers: Readonly<Record<string, NetworkContainerJson>>
  readonly Options: Readonly<Record<string, string>>
  readonly Labels: Readonly<Record<string, string>>
}

export interface IpamJson {
  readonly Subnet: string
  readonly IPRange?: string
  readonly Gateway?: string
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>>
}

export interface NetworkContainerJson {
  readonly Name: string
  readonly EndpointID: string
  readonly MacAddress: string
  readonly IPv4Address: string
  readonly IPv6Address: string
}
