/**
 * wire: what goes over the Docker Engine API, shared by server and clients: JSON shapes, checks of request bodies,
 * multiplexed streams, progress lines, filters, versions, and the texts for times and sizes. Pure: values in, values
 * out, or an `invalid` or `corrupt` error. HTTP itself belongs to `api` and `client`.
 */
export {
  checkFilterNames,
  filterFinds,
  filterFlag,
  filterHas,
  filterLabels,
  formatFilters,
  parseFilters,
} from './filters.ts'
export type { Filters } from './filters.ts'
export { decodeLines, encodeLine, formatSize, progressText } from './lines.ts'
export type { ProgressLine } from './lines.ts'
export { decodeFrames, encodeFrame, MULTIPLEXED_STREAM, RAW_STREAM } from './multiplex.ts'
export type { StreamChunk, StreamName } from './multiplex.ts'
export { formatRoughly, parseTimestamp } from './time.ts'
export { API_VERSION, compareVersions, MIN_API_VERSION, negotiateVersion } from './version.ts'
export type { ApiVersion } from './version.ts'
export {
  parseAuthConfigHeader,
  parseAuthHeader,
  parseConfigBody,
  parseExecBody,
  parseExecStartBody,
  parseHostConfigBody,
  parseNullableStringMap,
  parseObjectBody,
  parseStringMap,
  parseVolumeBody,
} from './body.ts'
export type { AuthBody, ConfigBody, HostConfigBody, MountBody } from './body.ts'
export type * from './container.ts'
export type * from './image.ts'
export type * from './system.ts'
export type * from './volume.ts'
