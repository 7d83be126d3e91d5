import type { Bytes } from '#base'
import type { Descriptor, Platform, Reference, RunConfig } from '#oci'
import type { Image, ImageRecord } from '#store/image'
import type { Credentials } from '#registry'

/** What happens to one layer or to the whole, in the words of Docker's progress lines. */
export interface TransferProgress {
  /** 12 hex digits of a layer, a tag, or absent for the whole. */
  readonly id?: string
  /** `Pulling fs layer`, `Downloading`, `Verifying Checksum`, `Download complete`, `Extracting`, `Pull complete`, `Already exists`, `Digest: …`, `Status: …` */
  readonly status: string
  readonly current?: number
  readonly total?: number
}

export type ProgressSink = (progress: TransferProgress) => void

export interface TransferOptions {
  readonly credentials?: Credentials
  readonly platform?: Platform
  readonly progress?: ProgressSink
  readonly signal?: AbortSignal
}

export interface LoadOutcome {
  readonly image: ImageRecord
  /** The name it was loaded under, where the archive gave one. */
  readonly name?: Reference
}

export interface ImportOptions {
  readonly name?: Reference
  readonly message?: string
  /** Dockerfile lines; applied by the caller through `changes`. */
  readonly changes?: (config: RunConfig) => RunConfig
  readonly platform?: Platform
  readonly signal?: AbortSignal
}

export interface Transfer {
  pull(name: Reference, options?: TransferOptions): Promise<Image>
  push(name: Reference, options?: TransferOptions): Promise<Descriptor>
  /** One tar: the OCI layout plus `manifest.json` and `repositories`, deterministic. */
  save(names: readonly string[], signal?: AbortSignal): Bytes
  load(
    bytes: Bytes,
    options?: { readonly progress?: ProgressSink; readonly signal?: AbortSignal },
  ): Promise<readonly LoadOutcome[]>
  /** A plain root file system tar becomes an image of one layer. */
  importRoot(bytes: Bytes, options: ImportOptions): Promise<Image>
}
