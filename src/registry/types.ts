import type { Bytes } from '#base'
import type { Descriptor, Digest, Reference } from '#oci'

export interface Credentials {
  readonly username?: string
  readonly password?: string
  readonly identityToken?: string
  readonly registryToken?: string
}

/** How a blob came to be in a repository. */
export type PutOutcome = 'uploaded' | 'mounted'

/** One per address; keeps its tokens; knows nothing of the store. Errors are `RegistryError` (status, codes). */
export interface Registry {
  /** What was configured or named («127.0.0.1:5000», «registry-1.docker.io», a mirror's address). */
  readonly address: string
  /** HEAD or GET of a manifest by tag or digest (the digest wins). `not-found` in Docker's words where there is none. */
  resolve(name: Reference, signal?: AbortSignal): Promise<Descriptor>
  /** The manifest's bytes, verified against the digest; `corrupt` where they are others. */
  manifest(repository: string, descriptor: Descriptor, signal?: AbortSignal): Promise<Uint8Array>
  hasBlob(repository: string, digest: Digest, signal?: AbortSignal): Promise<boolean>
  /**
   * Not verified here: the ingest does; but never more bytes than the descriptor says (`corrupt`), and an early end
   * throws `unavailable`. `from` asks for a range; throws kind `unsupported` where the range is ignored.
   */
  blob(repository: string, blob: Descriptor, from?: number, signal?: AbortSignal): Bytes
  /** `bytes` is called for each attempt. */
  putBlob(
    repository: string,
    blob: Descriptor,
    bytes: () => Bytes,
    options?: { readonly mountFrom?: string; readonly signal?: AbortSignal },
  ): Promise<PutOutcome>
  /** Under the name's tag, else by its digest. */
  putManifest(name: Reference, mediaType: string, bytes: Uint8Array, signal?: AbortSignal): Promise<Digest>
  /** All tags, in the registry's order. */
  tags(repository: string, signal?: AbortSignal): Promise<readonly string[]>
}

/** Whom to ask instead of connecting directly; absent or empty: nobody. */
export interface ProxyConfig {
  readonly http?: string
  readonly https?: string
  /** Hosts, suffixes and ports without a proxy, separated by commas. */
  readonly except?: string
}

export interface RegistryConfig {
  /** Mirrors tried before docker.io, in order (`http://127.0.0.1:5000`). */
  readonly mirrors: readonly string[]
  /** Hosts (with port) or CIDRs that may be spoken to without TLS; 127.0.0.0/8 always may. */
  readonly insecure: readonly string[]
  readonly proxy?: ProxyConfig
  /** Folders like /etc/docker/certs.d: below them `<host[:port]>/{*.crt,*.cert,*.key}`. */
  readonly certificates?: readonly string[]
  /** How failing requests are repeated; tests make it short. */
  readonly patience?: Patience
}

export interface Patience {
  /** Attempts of one request in all. */
  readonly attempts: number
  /** Milliseconds before the second attempt; doubled each time. */
  readonly delay: number
  /** Milliseconds that a `Retry-After` may ask for at most. */
  readonly longest: number
}

/** The endpoints to try for a reference, best first: mirrors (docker.io only), then the host itself. */
export type RegistryFor = (name: Reference, credentials?: Credentials) => readonly Registry[]

/** What a search finds, in the hub's own words. */
export interface FoundRepository {
  readonly name: string
  readonly description: string
  readonly stars: number
  readonly official: boolean
  readonly automated: boolean
}

/** All registries that were spoken to, with their connections. */
export interface Registries extends AsyncDisposable {
  readonly registryFor: RegistryFor
  /**
   * Tries credentials at a server («host:port», a URL of one, '' or docker.io's own). Resolves to the identity token
   * that stands for them from then on, where the server gives one; throws `unauthorized` in Docker's words.
   */
  login(server: string, credentials: Credentials, signal?: AbortSignal): Promise<{ readonly identityToken?: string }>
  /**
   * Asks for repositories: of «host/words» that host, else docker.io's mirrors and then its index. Throws
   * `unsupported` where the host offers no search.
   */
  search(
    term: string,
    options: { readonly limit: number; readonly credentials?: Credentials; readonly signal?: AbortSignal },
  ): Promise<readonly FoundRepository[]>
  /** The registry at a URL (`http://127.0.0.1:5000`, `https://host/prefix`). Throws `invalid`. */
  at(url: string): Registry
}
