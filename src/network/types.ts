export interface PortBinding {
  readonly containerPort: number
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  readonly hostIp?: string
  readonly hostPort?: number
}

export interface NetworkRecord {
  readonly id: string
  /** `bridge`, `host`, `none`: the three that always exist. */
  readonly name: string
  readonly driver: 'bridge' | 'host' | 'null'
  readonly createdAt: bigint
  readonly subnet?: string
  /** The bridge's own address in the subnet. */
  readonly gateway?: string
  readonly prefixLength?: number
  readonly bridge?: string
  readonly labels: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
}

/** A container's place in a network. */
export interface Endpoint {
  readonly id: string
  readonly network: string
  readonly networkId: string
  readonly container: string
  readonly address?: string
  readonly prefixLength?: number
  readonly gateway?: string
  readonly macAddress?: string
}

/** A network namespace with what is attached to it. */
export interface Sandbox {
  /** The namespace file that the runtime joins; absent for `host`. */
  readonly path?: string
  readonly endpoints: readonly Endpoint[]
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
  /** Record first, then namespace, veth, address, route and rules; undone where it fails. `mode`: bridge, none, host or a network's name. */
  attach(container: string, mode: string): Promise<Sandbox>
  /** Idempotent; the namespace is dropped, the kernel cleans up behind. */
  detach(container: string): Promise<void>
  find(container: string): Promise<Sandbox | undefined>
  get(nameOrId: string): Promise<NetworkRecord>
  list(): Promise<readonly NetworkRecord[]>
  endpoints(networkId: string): Promise<readonly Endpoint[]>
  /** Makes kernel and records agree after a start of the daemon: `alive` containers keep theirs, all others are undone. */
  restore(alive: ReadonlySet<string>): Promise<void>
  /** Takes bridges and rules of this engine away (daemon stop --all). */
  teardown(): Promise<void>
  /** Facts for `doctor` and `info`: FORWARD policy, ip_forward, what was done about it. */
  diagnose(): Promise<readonly NetworkFinding[]>
}
