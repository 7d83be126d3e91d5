import type { Bytes, Clock, Log } from '#base'
import type { Digest } from '#oci'
import type { Registries } from '#registry'
import type { ContentStore } from '#store/content'
import type { Database } from '#store/db'
import type { Images } from '#store/image'
import type { Lease, Leases, Resource } from '#store/lease'
import type { Transfer } from '#transfer'

/** What is asked of a listener. */
export interface ServeRequest extends Omit<ServeOptions, 'user'> {
  /** Who may come in; absent: everyone. */
  readonly user?: { readonly name: string; readonly password: string }
}

/** What a listener of the registry does. */
export interface ServeOptions {
  /** `127.0.0.1:5000`, `[::1]:5000`, `:5000` is every address; port 0 is any free one. */
  readonly listen: string
  /** Nothing is taken, and nothing removed. */
  readonly readOnly: boolean
  /** The registry whose images are kept here as they are asked for: `http://host:port`, `https://host/prefix`. */
  readonly mirrorOf?: string
  /** Who may come in; absent: everyone. */
  readonly user?: { readonly name: string; readonly secret: Secret }
  /** Absolute paths of a certificate and its key in PEM; absent: plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly key: string }
  /** The address may be one that other machines reach. */
  readonly isPublic: boolean
}

/** A password's scrypt hash with its salt, both in hex. */
export interface Secret {
  readonly salt: string
  readonly hash: string
}

export interface Listener {
  /** With the port that was chosen. */
  readonly address: string
  readonly readOnly: boolean
  readonly isTls: boolean
  readonly isKept: boolean
  /** The name that a password belongs to. */
  readonly user?: string
  readonly mirrorOf?: string
}

/** A repository with what was pushed to it or kept of another registry; images of the engine are not counted. */
export interface RepositoryInfo {
  /** Undefined: pushed to this registry; else the registry that it is a cache of. */
  readonly mirrorOf?: string
  readonly name: string
  readonly tags: number
  readonly manifests: number
  /** Bytes of its manifests and all that they name, each blob once. */
  readonly size: number
}

export interface Hub extends AsyncDisposable {
  /** Begins to serve; with `keep` again after a restart of the daemon. `conflict` where the address is in use. */
  serve(request: ServeRequest, how: { readonly keep: boolean }): Promise<Listener>
  list(): readonly Listener[]
  /** Resolves once the listener is stopped, by whomever. */
  stopped(address: string): Promise<void>
  /** By its address. Throws `not-found`. Replies under way are cut after a short while. */
  stop(address: string): Promise<void>
  repositories(): readonly RepositoryInfo[]
  /** Forgets manifests that no tag, index or subject leads to; `mirrors`: everything that was kept of other registries. */
  prune(options: { readonly mirrors: boolean }): number
  /** Serves again what was to be kept; what cannot be is told to the log. */
  restore(): Promise<void>
}

/** This room's part in a collection (the shape of #store/gc's `Collector`). */
export interface HubCollector {
  /** Blobs: manifests, what they name, and for a day what was pushed or asked for and no manifest names yet. */
  roots(): Iterable<Resource>
  edges(from: Resource): Iterable<Resource>
  /** Forgets that a repository has blobs which nothing named for a day, and uploads nobody went on with. */
  sweep(live: ReadonlySet<string>): { readonly resources: readonly Resource[]; removeBytes(): Promise<number> }
}

export interface HubParts {
  readonly database: Database
  readonly content: ContentStore
  readonly images: Pick<Images, 'list' | 'findByName'>
  readonly leases: Leases
  readonly transfer: Pick<Transfer, 'manifestFor'>
  readonly registries: Pick<Registries, 'at'>
  readonly clock: Clock
  readonly log: Log
}

/** A reply before it is written. */
export interface HubReply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | Bytes
}

/** A request after its head was read. */
export interface HubRequest {
  readonly method: string
  readonly query: URLSearchParams
  header(name: string): string | undefined
  readonly body: Bytes
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal
  /** Holds what is read or made until the reply has been sent. */
  readonly lease: Lease
}

export interface ManifestInfo {
  readonly digest: Digest
  readonly mediaType: string
  /** Bytes. */
  readonly size: number
}

export interface Referrer extends ManifestInfo {
  readonly artifactType?: string
  readonly annotations: Readonly<Record<string, string>>
}

/** What is looked for in a repository; each call holds by the lease what it answers. */
export interface Shelf {
  /** By tag or digest. */
  manifest(
    repository: string,
    reference: string,
    request: Pick<HubRequest, 'lease' | 'signal'>,
  ): Promise<ManifestInfo | undefined>
  /** Its bytes come from the content store, or while they arrive. */
  blob(
    repository: string,
    digest: Digest,
    request: Pick<HubRequest, 'lease' | 'signal'>,
  ): Promise<ShelfBlob | undefined>
  /** Sorted; undefined for a repository that is not there. */
  tags(repository: string): Promise<readonly string[] | undefined>
  /** Sorted. */
  repositories(): Promise<readonly string[]>
  referrers?(repository: string, subject: Digest): Promise<readonly Referrer[]>
}

export interface ShelfBlob {
  /** Bytes. */
  readonly size: number
  /** `end` is exclusive. */
  read(start: number, end: number): Bytes
}
