/** Reply of POST /auth. */
export interface LoginJson {
  readonly IdentityToken?: string
  readonly Status: string
}

/** Reply of GET /distribution/{name}/json. */
export interface DistributionJson {
  readonly Descriptor: {
    readonly mediaType: string
    readonly digest: string
    readonly size: number
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly Platforms: readonly { readonly architecture: string; readonly os: string; readonly variant?: string }[]
}

/** Reply of GET /x/remote/{name}/manifest. */
export interface RemoteManifestJson {
  /** The document as text, byte for byte. */
  readonly Manifest: string
}

/** One row of GET /images/search. */
export interface SearchResultJson {
  readonly star_count: number
  readonly is_official: boolean
  readonly name: string
  readonly is_automated: boolean
  readonly description: string
}
