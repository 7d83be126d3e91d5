import type { Bytes } from '#base'
import type { Descriptor, Digest, Reference } from '#oci'

export interface Credentials {
  readonly username?: string
  readonly password?: string
  readonly identityToken?: string
  readonly registryToken?: string
}

/** One per host; keeps its tokens; knows nothing of the store. Errors are `RegistryError` (status, codes). */
export interface Registry {
  /** HEAD or GET of a manifest by tag or digest. `not-found` where there is none. */
  resolve(name: Reference, signal?: AbortSignal): Promise<Descriptor>
  /** The manifest's bytes, verified against the digest. */
  manifest(repository: string, descriptor: Descriptor, signal?: AbortSignal): Promise<Uint8Array>
  hasBlob(repository: string, digest: Digest, signal?: AbortSignal): Promise<boolean>
  /** Not verified here: the ingest does. `from` asks for a range; throws kind `unsupported` where the range is ignored. */
  blob(repository: string, blob: Descriptor, from?: number, signal?: AbortSignal): Bytes
  putBlob(
    repository: string,
    blob: Descriptor,
    bytes: () => Bytes,
    mountFrom?: string,
    signal?: AbortSignal,
  ): Promise<void>
  putManifest(name: Reference, mediaType: string, bytes: Uint8Array, signal?: AbortSignal): Promise<Digest>
  tags(repository: string, signal?: AbortSignal): Promise<readonly string[]>
}

export interface RegistryConfig {
  /** Mirrors tried before docker.io, in order (`http://127.0.0.1:5000`). */
  readonly mirrors: readonly string[]
  /** Hosts (with port) or CIDRs that may be spoken to without TLS; 127.0.0.0/8 always may. */
  readonly insecure: readonly string[]
}

/** The endpoints to try for a reference, best first: mirrors (docker.io only), then the host itself. */
export type RegistryFor = (name: Reference, credentials?: Credentials) => readonly Registry[]
