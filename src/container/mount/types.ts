export interface MountRequest {
  readonly kind: 'bind' | 'volume' | 'tmpfs'
  /** Host path, volume name, or absent (anonymous volume, tmpfs). */
  readonly source?: string
  readonly target: string
  readonly readonly: boolean
  /** Bind only, from `-v`: make the host folder where it is missing. */
  readonly createSource?: boolean
  /** Volume only: do not copy what the image has there. */
  readonly noCopy?: boolean
  readonly propagation?: string
  /** tmpfs: options as given («size=64m,mode=1777»). */
  readonly options?: string
}

export interface MountPoint {
  readonly kind: 'bind' | 'volume' | 'tmpfs'
  readonly name?: string
  readonly source: string
  readonly destination: string
  readonly readonly: boolean
  readonly anonymous: boolean
}
