/**
 * wire: what goes over the Docker Engine API, shared by server and clients: JSON shapes, checks of request bodies,
 * multiplexed streams, progress lines, filters, versions, and the texts for times and sizes. Pure: values in, values
 * out, or an `invalid` or `corrupt` error. HTTP itself belongs to `api` and `client`.
 * Every line here is an `export *`: only then does the bundler keep the checks of bodies, and what they load, out of
 * the client.
 */
export * from './body.ts'
export * from './filters.ts'
export * from './lines.ts'
export * from './multiplex.ts'
export * from './network-body.ts'
export * from './path-stat.ts'
export * from './time.ts'
export * from './version.ts'
export type * from './check.ts'
export type * from './container.ts'
export type * from './disk.ts'
export type * from './image.ts'
export type * from './registry.ts'
export type * from './remote.ts'
export type * from './system.ts'
export type * from './volume.ts'
