import type { ImageId } from '#oci'

export interface MountRequest {
  readonly kind: 'bind' | 'volume' | 'tmpfs' | 'image'
  /** Host path, volume name, image name, or absent (anonymous volume, tmpfs). */
  readonly source?: string
  readonly target: string
  readonly readonly: boolean
  /** Volume and image: what is mounted of it, a relative path. */
  readonly subpath?: string
  /** Bind only, from `-v`: make the host folder where it is missing. */
  readonly createSource?: boolean
  /** Bind only: without what is mounted below it. */
  readonly nonRecursive?: boolean
  /** Bind only: what is mounted below it stays as it is, where it is read-only itself. */
  readonly readonlyTopOnly?: boolean
  readonly propagation?: string
  /** Volume only: do not copy what the image has there. */
  readonly noCopy?: boolean
  /** Volume only: what it is made with, where it is not there. */
  readonly labels?: Readonly<Record<string, string>>
  readonly driver?: string
  readonly driverOptions?: Readonly<Record<string, string>>
  /** tmpfs: options as given («size=64m,mode=1777»). */
  readonly options?: string
}

export interface MountPoint {
  readonly kind: 'bind' | 'volume' | 'tmpfs' | 'image'
  /** Of a volume, or of an image as it was named. */
  readonly name?: string
  readonly source: string
  readonly destination: string
  readonly readonly: boolean
  readonly anonymous: boolean
  readonly subpath?: string
  /** Of an image mount: what the name stood for when the container was made. */
  readonly image?: ImageId
  /** Of a bind, where another was asked for than Docker's. */
  readonly propagation?: string
  /** It came with `--volumes-from`. */
  readonly inherited?: boolean
}
