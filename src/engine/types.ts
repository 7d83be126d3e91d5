import type { Builder } from '#builder'
import type { ContainerService, LogConfig } from '#container'
import type { EventBus } from '#event'
import type { Hub } from '#hub'
import type { NetworkRecord, Networks, NetworkSettings } from '#network'
import type { Descriptor, HistoryEntry, ImageId, Platform, Reference, RunConfig } from '#oci'
import type { createFetcher, Credentials, Registries } from '#registry'
import type { Image, ImageRecord } from '#store/image'
import type { LayerChanges, PathOrigin, TreeDifference } from '#store/layer'
import type { Transfer } from '#transfer'
import type { CheckOptions, CheckSummary } from './check-types.ts'
import type { DiskReport } from './disk-types.ts'
import type { Volumes } from '#volume'

export interface EngineConfig {
  readonly version: string
  readonly dataRoot: string
  readonly execRoot: string
  readonly mirrors: readonly string[]
  readonly insecureRegistries: readonly string[]
  readonly proxy: { readonly http?: string; readonly https?: string; readonly except?: string }
  /** What the flags say of networks. */
  readonly network?: NetworkSettings
  /** Where the output of containers is kept that ask for nothing. */
  readonly containerLog?: LogConfig
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** The worker's entry file. */
  readonly workerEntry: string | URL
  /** The program of the resolver. */
  readonly switchboardEntry: URL
  /** How to look at the host's own mounts, as the re-execution handed it over; absent: there is no other namespace. */
  readonly hostMounts: string | undefined
  /** Where the daemon's own log goes. */
  readonly writeLog: (line: string) => void
  /** Where helper programs (igzip, xz) are looked for. */
  readonly path: string
}

/** Sizes in bytes of the layers of an image, bottom first, with who shares them. */
export interface LayerView {
  readonly chain: string
  readonly diffId: string
  readonly role: 'base' | 'intermediate' | 'top'
  readonly instruction: string
  readonly size: number
  readonly changes: LayerChanges
  /** Other images (familiar names, or short ids) that have this layer too. */
  readonly sharedWith: readonly string[]
}

export interface LayersView {
  readonly image: ImageId
  readonly layers: readonly LayerView[]
  /** For a container: its writable layer. */
  readonly writable?: { readonly container: string; readonly size: number; readonly changes: LayerChanges }
  readonly kernel: string
}

/** What two images differ in; `files` is read once. */
export interface ImageComparison {
  readonly before: ComparedImage
  readonly after: ComparedImage
  /** How many layers, from the bottom, both have. */
  readonly sharedLayers: number
  readonly config: readonly ConfigDifference[]
  readonly files: AsyncIterable<TreeDifference>
}

interface ComparedImage {
  readonly id: ImageId
  readonly layers: number
}

/** A member of the config; undefined where it says nothing. */
export interface ConfigDifference {
  readonly field: string
  readonly before: unknown
  readonly after: unknown
}

/** Where the paths of an image come from; `paths` is read once. */
export interface ImageOrigins {
  readonly image: ImageId
  /** Bottom first: what the numbers of `PathOrigin` count. */
  readonly layers: readonly { readonly diffId: string; readonly instruction: string }[]
  readonly paths: AsyncIterable<PathOrigin>
}

export interface HistoryRow {
  readonly entry: HistoryEntry
  /** Bytes. */
  readonly size: number
  readonly image?: ImageId
  readonly tags: readonly string[]
}

export interface ImageFigures {
  readonly record: ImageRecord
  readonly image: Image
  /** Milliseconds since the epoch, as its config says; 0 where it says nothing. */
  readonly created: number
  /** Bytes of all its unpacked layers. */
  readonly size: number
}

/** One image. */
export interface ImageDetails extends ImageFigures {
  /** The folders of its layers, topmost first; none where one is not here. */
  readonly folders: readonly string[]
}

/** One of all images. */
export interface ImageSummary extends ImageFigures {
  /** Bytes of the layers that other images have too. */
  readonly sharedSize: number
  readonly containers: number
}

export interface RemovedImage {
  readonly untagged?: string
  readonly deleted?: string
}

export interface ImageService {
  list(): Promise<readonly ImageSummary[]>
  get(name: string): Promise<ImageDetails>
  /** Newest first, as Docker's history. */
  history(name: string): Promise<readonly HistoryRow[]>
  layers(imageOrContainer: string): Promise<LayersView>
  /** From the layers alone: nothing is mounted, nothing of an image runs. */
  compare(
    before: string,
    after: string,
    options: { readonly times: boolean; readonly signal: AbortSignal },
  ): Promise<ImageComparison>
  /** Which layer each of `paths` (all, where there are none) and what is below comes from, and what it hides. */
  origins(name: string, paths: readonly string[], signal: AbortSignal): Promise<ImageOrigins>
  tag(name: string, to: Reference): Promise<void>
  /** Docker's rules of rmi: untag, delete with the last name, conflicts with containers and several names. */
  remove(
    name: string,
    options: { readonly force: boolean; readonly prune: boolean; readonly platform?: Platform },
  ): Promise<readonly RemovedImage[]>
  prune(options: {
    readonly dangling: boolean
    readonly keep: (image: ImageSummary) => boolean
  }): Promise<{ readonly removed: readonly RemovedImage[]; readonly bytes: number }>
  readonly transfer: Transfer
  /** A file of the web, for an import. */
  readonly fetch: ReturnType<typeof createFetcher>
  descriptorOf(record: ImageRecord): Descriptor | undefined
  /** Dockerfile lines of `import --change` on a config. Throws `DockerfileError`. */
  applyChanges(config: RunConfig, lines: readonly string[]): RunConfig
}

export interface DiskUsage {
  readonly layersSize: number
  readonly images: readonly ImageSummary[]
}

export interface Finding {
  readonly name: string
  readonly ok: boolean
  readonly essential: boolean
  readonly text: string
  readonly cure?: string
}

export interface SystemService {
  readonly id: string
  readonly version: string
  readonly config: EngineConfig
  readonly startedAt: bigint
  readonly runtime: { readonly name: string; readonly version: string; readonly reason: string }
  /** How control groups are mounted here. */
  readonly cgroups: 'v1' | 'v2' | 'hybrid' | 'none'
  diskUsage(): Promise<DiskUsage>
  /** Every byte of the data root, and who keeps it; of the items the `limit` largest (all where it is absent). */
  diskReport(limit?: number): Promise<DiskReport>
  /** Compares everything in the store with what it should be, and mends it where that is asked for. `conflict` for a second one. */
  check(options: CheckOptions): Promise<CheckSummary>
  /** Bytes that the file system of the data root has to give. */
  freeBytes(): Promise<number>
  /** One collection now. */
  collect(): Promise<number>
  doctor(): Promise<readonly Finding[]>
  /** Stops every container and takes networks away (`mica daemon stop --all`). */
  stopAll(): Promise<void>
}

export interface NetworkService extends Pick<Networks, 'get' | 'list' | 'endpoints' | 'create' | 'remove'> {
  /** Networks of no use; the three predefined ones stay. */
  prune(keep: (network: NetworkRecord) => boolean): Promise<readonly NetworkRecord[]>
}

export interface RemoteImage {
  readonly descriptor: Descriptor
  /** Of an index all that it names; of an image its own. */
  readonly platforms: readonly Platform[]
}

/** What is asked of registries without fetching images. Errors are in the registry's own words. */
export interface RemoteService extends Pick<Registries, 'login' | 'search'> {
  /** What the name stands for there. */
  describe(
    name: Reference,
    options?: { readonly credentials?: Credentials; readonly signal?: AbortSignal },
  ): Promise<RemoteImage>
  /** Its bytes as they lie there, verified. */
  manifest(
    name: Reference,
    options?: { readonly credentials?: Credentials; readonly signal?: AbortSignal },
  ): Promise<Uint8Array>
  /** All tags of the repository, sorted. */
  tags(
    repository: Reference,
    options?: { readonly credentials?: Credentials; readonly signal?: AbortSignal },
  ): Promise<readonly string[]>
}

export interface Engine extends AsyncDisposable {
  readonly remotes: RemoteService
  readonly images: ImageService
  readonly builds: Builder
  readonly containers: ContainerService
  readonly networks: NetworkService
  readonly volumes: Volumes
  /** The registry of our own. */
  readonly registry: Pick<Hub, 'serve' | 'list' | 'stop' | 'stopped' | 'repositories' | 'prune'>
  readonly events: EventBus
  readonly system: SystemService
}
