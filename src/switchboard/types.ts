/** A network that a sandbox belongs to, in the order in which its names are looked for. */
export interface SwitchboardNetwork {
  readonly id: string
  /** Without dots or with: «web.backend» is looked for in the network «backend» too. */
  readonly name: string
  /** Nothing leads out of it: what is not known here is not asked elsewhere on its account. */
  readonly internal: boolean
  /** Further names of others, for this sandbox alone (`--link`). `target` is a name in this network. */
  readonly links: readonly { readonly alias: string; readonly target: string }[]
}

/** A network namespace in which 127.0.0.11 answers. */
export interface SwitchboardSandbox {
  readonly container: string
  /** The namespace's file, in the mount namespace of the daemon. */
  readonly path: string
  readonly networks: readonly SwitchboardNetwork[]
  /** Asked from within the sandbox; the servers of the host, asked from the host, where empty. */
  readonly servers: readonly string[]
  /** Options of its resolv.conf («ndots:2»). */
  readonly options: readonly string[]
}

/** One name in one network. Several entries may share a name; of one container the first is what its address is called. */
export interface SwitchboardName {
  readonly name: string
  /** IPv4 and IPv6. */
  readonly addresses: readonly string[]
  readonly container: string
}

/** A port that is carried by a process, where the kernel alone cannot: `[::]:80` to a container without IPv6. */
export interface SwitchboardForward {
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  readonly listen: SocketPlace
  readonly to: SocketPlace
}

export interface SocketPlace {
  readonly ip: string
  readonly port: number
}

/** All that the process works by. */
export interface SwitchboardTable {
  readonly sandboxes: readonly SwitchboardSandbox[]
  /** By network id. */
  readonly names: Readonly<Record<string, readonly SwitchboardName[]>>
  /** By container. */
  readonly forwards: Readonly<Record<string, readonly SwitchboardForward[]>>
}

/**
 * The daemon's side of the process. Each call resolves once the process works by it; the process is started by the first
 * one that needs it, and again where it ends. What it answers goes on while the daemon is away.
 */
export interface Switchboard extends AsyncDisposable {
  /** After a start of the daemon: a process that is still there is taken over, and works by this table from now on. */
  restore(table: SwitchboardTable): Promise<void>
  /** Starts the process, so that the first sandbox need not wait for it. */
  warm(): void
  /** Resolves when 127.0.0.11 answers in it. A second call for the same container replaces the first. */
  setSandbox(sandbox: SwitchboardSandbox): Promise<void>
  /** Closes its sockets: they would keep the namespace. Idempotent; takes its forwards away too. */
  dropSandbox(container: string): Promise<void>
  /** All names of one network; an empty list forgets it. */
  setNames(network: string, names: readonly SwitchboardName[]): Promise<void>
  /** All forwards of one container; an empty list ends them. Rejects where a place cannot be listened at, with `details.errno`. */
  setForwards(container: string, forwards: readonly SwitchboardForward[]): Promise<void>
  /** Ends the process: nothing answers any more (daemon stop --all). */
  stop(): Promise<void>
}
