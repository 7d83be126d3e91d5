/**
 * registry: client of the distribution API: authentication (Bearer and Basic), resolving names, fetching manifests
 * (verified) and blobs (with ranges), pushing, mounting, listing tags; mirrors of docker.io, hosts without TLS, own
 * certificates, proxies. It promises that credentials go to the registry's own origin and its token server alone,
 * that busy servers get patience, and errors in the words of Docker's daemon. It knows nothing of the store: a blob's
 * bytes are verified by who keeps them. With the same connections it fetches plain files of the web.
 */
export { RegistryError } from './error.ts'
export { createFetcher } from './fetch.ts'
export { createRegistries } from './registries.ts'
export type * from './types.ts'
