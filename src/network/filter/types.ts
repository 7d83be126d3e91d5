export type Protocol = 'tcp' | 'udp' | 'sctp'

/** Which packets for a network's containers are let in, and how. */
export type GatewayMode =
  /** Published ports by translation; the rest is closed. */
  | 'nat'
  /** As `nat`, and all ports by the container's own address. */
  | 'nat-unprotected'
  /** Published ports by the container's own address; no translation, no masquerading. */
  | 'routed'
  /** As `nat`; the bridge has no address. */
  | 'isolated'

/** What the filter has to know of one network whose bridge is there. */
export interface FilterNetwork {
  readonly id: string
  /** The name of its link. */
  readonly bridge: string
  /** The IPv4 block («172.26.0.0/16»). */
  readonly subnet?: string
  readonly subnet6?: string
  /** No way out of it, and none in. */
  readonly internal: boolean
  /** Whether its containers reach each other. */
  readonly icc: boolean
  readonly masquerade: boolean
  readonly masquerade6?: boolean
  /** What outgoing packets come from instead of the address of the link they leave by. */
  readonly source?: string
  readonly source6?: string
  /** `nat` where absent. */
  readonly mode?: GatewayMode
  readonly mode6?: GatewayMode
}

/** A port as it is published; `0.0.0.0` and `::` are two of them. */
export interface HostPort {
  readonly containerPort: number
  readonly protocol: Protocol
  readonly hostIp: string
  readonly hostPort: number
}

/** Where a container can be reached in a network. */
export interface FilterPlace {
  readonly bridge: string
  readonly address?: string
  readonly address6?: string
}

/** All that the filter has to know of one running container. */
export interface FilterContainer {
  readonly container: string
  /** The place to which published ports lead. */
  readonly via?: FilterPlace
  readonly ports: readonly HostPort[]
  /** Containers of the same network without `icc` that it may reach, at these ports («3306/tcp»). */
  readonly links: readonly { readonly address: string; readonly ports: readonly string[] }[]
  /** Its places in networks: the senders of what `links` lets through. */
  readonly endpoints: readonly FilterPlace[]
}

/** One line for `doctor` and `info`. */
export interface FilterFinding {
  readonly name: string
  readonly ok: boolean
  readonly text: string
  readonly cure?: string
}

/** Disposing ends the watch over the rules; the rules stay. */
export interface Firewall extends Disposable {
  /**
   * The rules for exactly these networks, and accepts where another engine drops; forwarding on; cheap where nothing has
   * changed since. From now on what others change is set right at once.
   */
  open(networks: readonly FilterNetwork[]): Promise<void>
  /** The rules of one container become these, in one transaction. */
  setContainer(container: FilterContainer): Promise<void>
  /** Idempotent. */
  dropContainer(container: string): Promise<void>
  /** The rules are for exactly these containers. */
  restore(containers: readonly FilterContainer[]): Promise<void>
  /** Takes all rules of this engine away. */
  close(): Promise<void>
  diagnose(): Promise<readonly FilterFinding[]>
}
