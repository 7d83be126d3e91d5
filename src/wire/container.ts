/** A container's shapes in the Docker Engine API; keys as on the wire. */

export interface EndpointJson {
  readonly IPAMConfig: {
    readonly IPv4Address?: string
    readonly IPv6Address?: string
    readonly LinkLocalIPs?: readonly string[]
  } | null
  readonly Links: readonly string[] | null
  readonly Aliases: readonly string[] | null
  readonly MacAddress: string
  readonly DriverOpts: Readonly<Record<string, string>> | null
  readonly GwPriority: number
  readonly NetworkID: string
  readonly EndpointID: string
  readonly Gateway: string
  readonly IPAddress: string
  readonly IPPrefixLen: number
  readonly IPv6Gateway: string
  readonly GlobalIPv6Address: string
  readonly GlobalIPv6PrefixLen: number
  readonly DNSNames: readonly string[] | null
}

/** Where a port is published. */
export interface PortBindingJson {
  readonly HostIp: string
  readonly HostPort: string
}

export interface MountPointJson {
  readonly Type: 'bind' | 'volume' | 'tmpfs' | 'image'
  readonly Name?: string
  readonly Source: string
  readonly Destination: string
  readonly Driver?: string
  readonly Mode: string
  readonly RW: boolean
  readonly Propagation: string
}

export interface PortJson {
  readonly IP?: string
  readonly PrivatePort: number
  readonly PublicPort?: number
  readonly Type: string
}

/** A row of `docker ps`. */
export interface ContainerSummaryJson {
  readonly Id: string
  readonly Names: readonly string[]
  readonly Image: string
  readonly ImageID: string
  readonly Command: string
  /** Seconds since the epoch. */
  readonly Created: number
  readonly Ports: readonly PortJson[]
  readonly SizeRw?: number
  readonly SizeRootFs?: number
  readonly Labels: Readonly<Record<string, string>>
  readonly State: string
  readonly Status: string
  readonly HostConfig: { readonly NetworkMode: string }
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, EndpointJson>> }
  readonly Mounts: readonly MountPointJson[]
}

export interface ContainerStateJson {
  readonly Status: string
  readonly Running: boolean
  readonly Paused: boolean
  readonly Restarting: boolean
  readonly OOMKilled: boolean
  readonly Dead: boolean
  readonly Pid: number
  readonly ExitCode: number
  readonly Error: string
  readonly StartedAt: string
  readonly FinishedAt: string
}

/** `docker inspect` of a container. */
export interface ContainerJson {
  readonly Id: string
  readonly Created: string
  readonly Path: string
  readonly Args: readonly string[]
  readonly State: ContainerStateJson
  readonly Image: string
  readonly ResolvConfPath: string
  readonly HostnamePath: string
  readonly HostsPath: string
  readonly LogPath: string
  readonly Name: string
  readonly RestartCount: number
  readonly Driver: string
  readonly Platform: string
  readonly MountLabel: string
  readonly ProcessLabel: string
  readonly AppArmorProfile: string
  readonly ExecIDs: readonly string[] | null
  readonly HostConfig: Readonly<Record<string, unknown>>
  readonly GraphDriver: { readonly Name: string; readonly Data: Readonly<Record<string, string>> | null }
  readonly SizeRw?: number
  readonly SizeRootFs?: number
  readonly Mounts: readonly MountPointJson[]
  readonly Config: ContainerConfigJson
  readonly NetworkSettings: Readonly<Record<string, unknown>> & {
    readonly Networks: Readonly<Record<string, EndpointJson>>
    readonly Ports: Readonly<Record<string, readonly PortBindingJson[] | null>>
  }
}

export interface ContainerConfigJson extends Readonly<Record<string, unknown>> {
  readonly Hostname: string
  readonly User: string
  readonly Tty: boolean
  readonly OpenStdin: boolean
  readonly StdinOnce: boolean
  readonly Env: readonly string[] | null
  readonly Cmd: readonly string[] | null
  readonly Image: string
  readonly WorkingDir: string
  readonly Entrypoint: readonly string[] | null
  readonly Labels: Readonly<Record<string, string>>
}

export interface CreatedJson {
  readonly Id: string
  readonly Warnings: readonly string[]
}

export interface WaitJson {
  readonly StatusCode: number
  readonly Error?: { readonly Message: string }
}

/** Kind: 0 changed, 1 added, 2 removed. */
export interface ChangeJson {
  readonly Path: string
  readonly Kind: 0 | 1 | 2
}

export interface TopJson {
  readonly Titles: readonly string[]
  readonly Processes: readonly (readonly string[])[]
}

export interface ExecJson {
  readonly ID: string
  readonly Running: boolean
  readonly ExitCode: number | null
  readonly ProcessConfig: {
    readonly tty: boolean
    readonly entrypoint: string
    readonly arguments: readonly string[]
    readonly privileged: boolean
    readonly user?: string
  }
  readonly OpenStdin: boolean
  readonly OpenStderr: boolean
  readonly OpenStdout: boolean
  readonly CanRemove: boolean
  readonly ContainerID: string
  readonly DetachKeys: string
  readonly Pid: number
}
