/** Shapes of mica's own routes below /x/registries; keys as on the wire. */

/** What to serve. */
export interface ServeRegistryJson {
  /** `127.0.0.1:5000`. */
  readonly Listen: string
  readonly ReadOnly?: boolean
  readonly MirrorOf?: string
  /** The address may be one that other machines reach. */
  readonly Public?: boolean
  readonly User?: string
  readonly Password?: string
  /** Absolute paths on the engine's machine. */
  readonly TlsCertificate?: string
  readonly TlsKey?: string
  /** Goes on when the caller leaves, and after a restart of the engine. */
  readonly Keep?: boolean
}

export interface RegistryListenerJson {
  readonly Address: string
  readonly ReadOnly: boolean
  readonly Tls: boolean
  readonly Keep: boolean
  readonly User: string
  readonly MirrorOf: string
}

export interface RegistryRepositoryJson {
  readonly Name: string
  readonly MirrorOf: string
  readonly Tags: number
  readonly Manifests: number
  /** Bytes. */
  readonly Size: number
}

export interface RegistriesJson {
  readonly Listeners: readonly RegistryListenerJson[]
  readonly Repositories: readonly RegistryRepositoryJson[]
}

export interface RegistryPruneJson {
  readonly ManifestsDeleted: number
  readonly SpaceReclaimed: number
}
