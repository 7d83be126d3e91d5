import { invalid } from '#base'

/** A version of the Docker Engine API. */
export interface ApiVersion {
  readonly major: number
  readonly minor: number
}

/** The newest version spoken. */
export const API_VERSION = '1.51'
/** The oldest version spoken. */
export const MIN_API_VERSION = '1.24'

/** «1.43», or undefined where the text is not a version. */
export function findVersion(text: string): ApiVersion | undefined {
  const [, major, minor] = /^(\d{1,3})\.(\d{1,4})$/.exec(text) ?? []
  return major === undefined || minor === undefined ? undefined : { major: Number(major), minor: Number(minor) }
}

/** Negative where `a` is older than `b`. */
export function compareVersions(a: ApiVersion, b: ApiVersion): number {
  return a.major - b.major || a.minor - b.minor
}

/** The version that a request is answered in; absent means the newest. Throws `invalid` in Docker's words. */
export function negotiateVersion(text: string | undefined): ApiVersion {
  if (text === undefined || text === API_VERSION) return NEWEST
  const version = known(text)
  if (compareVersions(version, OLDEST) < 0) {
    throw invalid(
      `client version ${text} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    )
  }
  if (compareVersions(version, NEWEST) > 0) {
    throw invalid(`client version ${text} is too new. Maximum supported API version is ${API_VERSION}`)
  }
  return version
}

function known(text: string): ApiVersion {
  const version = findVersion(/^\d+$/.test(text) ? `${text}.0` : text)
  if (!version) throw invalid(`invalid API version: ${text}`)
  return version
}

const NEWEST = known(API_VERSION)
const OLDEST = known(MIN_API_VERSION)
