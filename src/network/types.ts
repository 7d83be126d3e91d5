export type Protocol = 'tcp' | 'udp' | 'sctp'

/** A port to be published, as asked for. */
export interface PortBinding {
  readonly containerPort: number
  readonly protocol: Protocol
  /** All addresses of the host where absent. */
  readonly hostIp?: string
  /** Chosen where absent or 0; of a range the first that is free. */
  readonly hostPort?: number | PortRange
}

export interface PortRange {
  readonly from: number
  readonly to: number
}

/** A port as it is published; `0.0.0.0` and `::` are two of them, as Docker has it. */
export interface PublishedPort {
  readonly containerPort: number
  readonly protocol: Protocol
  readonly hostIp: string
  readonly hostPort: number
}

export type NetworkDriver = 'bridge' | 'host' | 'null' | 'macvlan' | 'ipvlan'

/** A block of addresses of a network, IPv4 or IPv6. */
export interface IpamBlock {
  readonly subnet: string
  /** As asked for, or as chosen together with the subnet. */
  readonly gateway?: string
  /** Addresses that are given out; all of the subnet where absent. */
  readonly ipRange?: string
  /** Addresses that are never given out, by the names of their users. */
  readonly auxAddresses: Readonly<Record<string, string>>
  /** By the engine: then no container may ask for an address of it. */
  readonly chosen: boolean
}

export interface NetworkRecord {
  readonly id: string
  /** `bridge`, `host`, `none` always exist. */
  readonly name: string
  readonly driver: NetworkDriver
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint
  readonly scope: 'local'
  readonly internal: boolean
  readonly attachable: boolean
  readonly ipv4: boolean
  readonly ipv6: boolean
  /** As asked for, then those that were chosen. */
  readonly ipam: readonly IpamBlock[]
  readonly ipamDriver: string
  readonly ipamOptions: Readonly<Record<string, string>>
  /** Settings for other networks only; nothing can be attached to it. */
  readonly configOnly: boolean
  /** The network that its settings were taken from. */
  readonly configFrom?: string
  /** The first IPv4 block, without host bits. */
  readonly subnet?: string
  /** The bridge's own address in it, whoever chose it. */
  readonly gateway?: string
  readonly prefixLength?: number
  /** The same of the first IPv6 block. */
  readonly subnet6?: string
  readonly gateway6?: string
  readonly prefixLength6?: number
  /** The name of its link on the host: the bridge, or what macvlan and ipvlan stand on. */
  readonly bridge?: string
  /** That link was there before: it stays when the network goes. */
  readonly adopted?: boolean
  readonly labels: Readonly<Record<string, string>>
  /** Options of the driver, as given. */
  readonly options: Readonly<Record<string, string>>
}

export interface IpamRequest {
  readonly subnet?: string
  readonly gateway?: string
  readonly ipRange?: string
  readonly auxAddresses?: Readonly<Record<string, string>>
}

export interface NetworkRequest {
  readonly name: string
  /** `bridge` where absent. */
  readonly driver?: string
  readonly internal: boolean
  readonly attachable: boolean
  /** On where absent. */
  readonly ipv4?: boolean
  /** Off where absent. */
  readonly ipv6?: boolean
  readonly ipam: readonly IpamRequest[]
  /** `default` where absent. */
  readonly ipamDriver?: string
  readonly ipamOptions: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
  readonly configOnly?: boolean
  readonly configFrom?: string
}

/** What a container wants of one network. */
export interface EndpointRequest {
  /** Name or id, as given. */
  readonly network: string
  readonly address?: string
  readonly address6?: string
  readonly linkLocal: readonly string[]
  readonly macAddress?: string
  readonly aliases: readonly string[]
  /** «container:alias»: on a user's network, names for one container only. */
  readonly links: readonly string[]
  readonly driverOptions: Readonly<Record<string, string>>
  /** The endpoint with the highest gives the default route. */
  readonly gwPriority: number
}

/** A container's place in a network. */
export interface Endpoint {
  readonly id: string
  readonly network: string
  readonly networkId: string
  readonly container: string
  /** The link's name in the container. */
  readonly interface?: string
  readonly address?: string
  readonly prefixLength?: number
  readonly gateway?: string
  readonly address6?: string
  readonly prefixLength6?: number
  readonly gateway6?: string
  readonly macAddress?: string
  /** As asked for. */
  readonly aliases: readonly string[]
  readonly links: readonly string[]
  /** The names that the resolver knows it by: its own, its aliases, its short id, its host name. */
  readonly dnsNames: readonly string[]
  readonly gwPriority: number
  readonly driverOptions: Readonly<Record<string, string>>
  /** What was asked for of the addresses; absent where nothing was. */
  readonly ipam?: { readonly address?: string; readonly address6?: string; readonly linkLocal: readonly string[] }
}

export interface DnsSettings {
  readonly servers: readonly string[]
  readonly search: readonly string[]
  readonly options: readonly string[]
}

/** Who is attached: what the names of its endpoints are made of. */
export interface AttachedContainer {
  readonly id: string
  /** Without a slash; empty for a build's step. */
  readonly name: string
  readonly hostname: string
  readonly dns: DnsSettings
  /** Published with the first network that leads in; nothing where absent. */
  readonly publish?: Pick<AttachRequest, 'ports' | 'publishAll'>
}

export interface AttachRequest {
  readonly container: string
  /** Without a slash; empty for a build's step. */
  readonly name: string
  readonly hostname: string
  /** bridge, host, none, container:<id>, or a network's name. */
  readonly mode: string
  /** Networks to join, in order; that of the mode alone where empty. */
  readonly networks: readonly EndpointRequest[]
  readonly ports: readonly PortBinding[]
  /** Exposed ports are published to chosen ones. */
  readonly publishAll: boolean
  /** «80/tcp», «90-91/udp». */
  readonly exposedPorts: readonly string[]
  /** Links on the default bridge: running containers, by id, that this one may reach. */
  readonly links: readonly { readonly container: string; readonly alias: string }[]
  readonly dns: DnsSettings
}

/** A network namespace with what is attached to it. */
export interface Sandbox {
  /** The namespace file that the runtime joins; absent for `host`. */
  readonly path?: string
  readonly endpoints: readonly Endpoint[]
  readonly ports: readonly PublishedPort[]
  /** The resolver at 127.0.0.11 answers in it. */
  readonly resolver: boolean
}

/** One line for `doctor` and `info`. */
export interface NetworkFinding {
  readonly name: string
  readonly ok: boolean
  readonly text: string
  readonly cure?: string
}

/** Disposing stops the watch over the packet filter; what is attached stays attached. */
export interface Networks extends Disposable {
  /**
   * Record first, then namespace, links, addresses, routes, rules and names; undone where it fails. With the mode
   * `container:<id>` the other's sandbox is given, without endpoints.
   */
  attach(request: AttachRequest): Promise<Sandbox>
  /** Idempotent; the namespace is dropped, the kernel cleans up behind. */
  detach(container: string): Promise<void>
  /** Whether a network can give what is asked of it; throws `invalid` with all that is wrong, in Docker's words. */
  check(network: NetworkRecord, request: EndpointRequest): void
  /** Adds a link to the sandbox of a running container, and publishes its ports where none led in. Errors in Docker's words. */
  connect(container: AttachedContainer, request: EndpointRequest): Promise<Endpoint>
  /** Takes the link out of the sandbox. `not-found` where there is none, unless forced. */
  disconnect(container: string, network: string, options: { readonly force: boolean }): Promise<void>
  /** The links of a running container on the default bridge are these from now on, or lead to other addresses. */
  relink(container: string, links: AttachRequest['links']): Promise<void>
  /** A container has another name: the resolver's table follows. */
  rename(container: string, name: string): Promise<void>
  find(container: string): Promise<Sandbox | undefined>
  /** By name, id, or unique prefix of the id; throws `not-found`. */
  get(nameOrId: string): Promise<NetworkRecord>
  list(): Promise<readonly NetworkRecord[]>
  /** Of running containers only. */
  endpoints(networkId: string): Promise<readonly Endpoint[]>
  create(request: NetworkRequest): Promise<{ readonly id: string; readonly warnings: readonly string[] }>
  /** Throws `forbidden` where it is predefined or has endpoints. */
  remove(nameOrId: string): Promise<void>
  /** Removes networks without endpoints unless `keep` says otherwise; the predefined ones stay. */
  prune(keep: (network: NetworkRecord) => boolean): Promise<readonly NetworkRecord[]>
  /** Makes kernel and records agree after a start of the daemon: `alive` containers keep theirs, all others are undone. */
  restore(alive: ReadonlySet<string>): Promise<void>
  /** Takes bridges and rules of this engine away (daemon stop --all). */
  teardown(): Promise<void>
  /** Facts for `doctor` and `info`: FORWARD policy, ip_forward, what was done about it. */
  diagnose(): Promise<readonly NetworkFinding[]>
}

/** What the daemon's flags say of networks, named as dockerd names them. */
export interface NetworkSettings {
  /** The default bridge's address with its block («172.26.0.1/16»); chosen free of the host's where absent. */
  readonly bip?: string | undefined
  /** Containers on the default bridge get addresses of this part of its block only. */
  readonly fixedCidr?: string | undefined
  /** IPv6 on the default bridge. */
  readonly ipv6?: boolean | undefined
  readonly fixedCidr6?: string | undefined
  readonly mtu?: number | undefined
  /** Whether the containers of the default bridge reach each other; they do where absent. */
  readonly icc?: boolean | undefined
  /** «base=10.10.0.0/16,size=24»: blocks from which networks are cut; the usual ones where absent. */
  readonly addressPools?: readonly string[] | undefined
  /** The host's address for published ports that name none; all where absent. */
  readonly publishDefault?: string | undefined
}
