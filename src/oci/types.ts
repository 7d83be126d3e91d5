declare const brand: unique symbol
/** A string that was parsed once at the border; one kind is never passed for another. */
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** `sha256:` and 64 hex digits: the hash of stored bytes. */
export type Digest = Branded<'digest'>
/** The digest of a layer's uncompressed tar (image-spec, config.md «Layer DiffID»). */
export type DiffId = Branded<'diff id'>
/** The digest that names a stack of diff ids (image-spec, config.md «Layer ChainID»). */
export type ChainId = Branded<'chain id'>
/** The digest of an image's config: an image *is* its config. */
export type ImageId = Branded<'image id'>

export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
}

/** image-spec, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly platform?: Platform
  readonly annotations?: Readonly<Record<string, string>>
  readonly urls?: readonly string[]
}

/** image-spec, manifest.md, and Docker's image manifest v2 schema 2. */
export interface Manifest {
  readonly schemaVersion: 2
  readonly mediaType: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly annotations?: Readonly<Record<string, string>>
}

/** image-spec, image-index.md, and Docker's manifest list. */
export interface Index {
  readonly schemaVersion: 2
  readonly mediaType: string
  readonly manifests: readonly Descriptor[]
  readonly annotations?: Readonly<Record<string, string>>
}

export interface Healthcheck {
  readonly Test?: readonly string[]
  /** Nanoseconds, as all times here. */
  readonly Interval?: number
  readonly Timeout?: number
  readonly StartPeriod?: number
  readonly StartInterval?: number
  readonly Retries?: number
}

/** What to run: the `config` member of an image config, with Docker's additional fields; keys as on the wire. */
export interface RunConfig {
  readonly User?: string
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>
  readonly Env?: readonly string[]
  readonly Entrypoint?: readonly string[] | null
  readonly Cmd?: readonly string[] | null
  readonly ArgsEscaped?: boolean
  readonly Volumes?: Readonly<Record<string, Record<string, never>>>
  readonly WorkingDir?: string
  readonly Labels?: Readonly<Record<string, string>>
  readonly StopSignal?: string
  readonly StopTimeout?: number
  readonly Healthcheck?: Healthcheck
  readonly Shell?: readonly string[]
  readonly OnBuild?: readonly string[]
}

export interface HistoryEntry {
  readonly created?: string
  readonly created_by?: string
  readonly author?: string
  readonly comment?: string
  readonly empty_layer?: boolean
}

/** image-spec, config.md. Members that mica does not know are kept in `other`, so that a config round-trips. */
export interface ImageConfig {
  readonly architecture: string
  readonly os: string
  readonly variant?: string
  readonly created?: string
  readonly author?: string
  readonly config: RunConfig
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly DiffId[] }
  readonly history: readonly HistoryEntry[]
  readonly other?: Readonly<Record<string, unknown>>
}

/** A parsed image name (distribution's reference grammar). */
export interface Reference {
  /** `docker.io`, `localhost:5000` … */
  readonly domain: string
  /** `library/alpine`. */
  readonly path: string
  readonly tag?: string
  readonly digest?: Digest
}
