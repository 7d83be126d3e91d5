import { createHash } from 'node:crypto'
import type { Clock } from '#base'
import { addressOf, domainOf, indexAddress, insecureRule, parseMirror, type Address } from './address.ts'
import { createAuth } from './auth.ts'
import { findBlob, readBlob } from './blobs.ts'
import { readCertificates } from './certificates.ts'
import { createClient, type Client } from './client.ts'
import { createHttp, type Http } from './http.ts'
import { login } from './login.ts'
import { readManifest, resolveManifest, writeManifest } from './manifests.ts'
import { searchRepositories, splitTerm } from './search.ts'
import { listTags } from './tags.ts'
import { writeBlob } from './upload.ts'
import type { Credentials, Registries, Registry, RegistryConfig } from './types.ts'

/** Registries that are kept with their tokens; the one unused longest goes first. */
const KEPT = 100
const PATIENCE = { attempts: 5, delay: 500, longest: 60_000 }

/** Throws `invalid` where a mirror or an insecure entry cannot be read. */
export function createRegistries(config: RegistryConfig, clock: Clock): Registries {
  const isInsecure = insecureRule(config.insecure)
  const mirrors = config.mirrors.map((text) => parseMirror(text, isInsecure))
  const https = new Map<string, Http>()
  const httpFor = (address: Address): Http => {
    const key = `${address.scheme ?? ''} ${address.host}`
    const known = https.get(key)
    if (known) return known
    const made = openHttp(config, address)
    https.set(key, made)
    return made
  }
  const kept = new Map<string, Registry>()
  const open = (address: Address, credentials: Credentials | undefined): Registry => {
    const key = `${address.text} ${fingerprint(credentials)}`
    const registry = kept.get(key) ?? createRegistry(config, { address, credentials, http: httpFor(address), clock })
    kept.delete(key)
    kept.set(key, registry)
    const oldest = kept.size > KEPT ? kept.keys().next().value : undefined
    if (oldest !== undefined) kept.delete(oldest)
    return registry
  }
  return {
    registryFor(name, credentials) {
      const own = open(addressOf(name.domain, isInsecure), credentials)
      // Credentials are the user's for docker.io, not for a mirror of it.
      return name.domain === 'docker.io' ? [...mirrors.map((mirror) => open(mirror, undefined)), own] : [own]
    },
    at: (url) => open(parseMirror(url, isInsecure), undefined),
    login: (server, credentials, signal) => {
      const address = addressOf(domainOf(server), isInsecure)
      return login(
        { address, http: httpFor(address), clock, patience: config.patience ?? PATIENCE },
        credentials,
        signal,
      )
    },
    search: (term, options) => {
      const { domain, words } = splitTerm(term)
      const own = domain === 'docker.io' ? indexAddress(isInsecure) : addressOf(domain, isInsecure)
      const addresses = domain === 'docker.io' ? [...mirrors, own] : [own]
      const parts = addresses.map((address) => ({
        address,
        http: httpFor(address),
        clock,
        patience: config.patience ?? PATIENCE,
        // Credentials are the user's for docker.io, not for a mirror of it.
        credentials: address === own ? options.credentials : undefined,
      }))
      return searchRepositories(parts, words, options)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...https.values()].map((http) => http[Symbol.asyncDispose]()))
    },
  }
}

interface RegistryParts {
  readonly address: Address
  readonly credentials: Credentials | undefined
  readonly http: Http
  readonly clock: Clock
}

function createRegistry(config: RegistryConfig, { address, credentials, http, clock }: RegistryParts): Registry {
  const auth = createAuth({ http, credentials, insecure: address.insecure, now: () => clock.milliseconds() })
  const client = createClient({ address, http, auth, patience: config.patience ?? PATIENCE })
  return { address: address.text, ...reads(client), ...writes(client) }
}

function reads(client: Client): Pick<Registry, 'resolve' | 'manifest' | 'hasBlob' | 'blob' | 'tags'> {
  return {
    resolve: (name, signal) => resolveManifest(client, name, signal),
    manifest: (repository, descriptor, signal) => readManifest(client, repository, descriptor, signal),
    hasBlob: (repository, digest, signal) => findBlob(client, repository, digest, signal),
    blob: (repository, blob, from = 0, signal) => readBlob(client, { repository, blob, from, signal }),
    tags: (repository, signal) => listTags(client, repository, signal),
  }
}

function writes(client: Client): Pick<Registry, 'putBlob' | 'putManifest'> {
  return {
    putBlob: (repository, blob, bytes, { mountFrom, signal } = {}) =>
      writeBlob(client, { repository, blob, bytes, mountFrom, signal }),
    putManifest: (name, mediaType, bytes, signal) => writeManifest(client, name, { mediaType, bytes }, signal),
  }
}

function openHttp(config: RegistryConfig, { host, insecure }: Address): Http {
  const { ca, client } = readCertificates(config.certificates ?? [], host)
  const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(host)
  return createHttp({
    host,
    trustAny: insecure,
    ...(ca.length > 0 && { ca }),
    ...(client && { clientCertificate: client }),
    ...(config.proxy && !isLocal && { proxy: config.proxy }),
  })
}

/** A key for the kept registries that does not hold the secret itself. */
function fingerprint(credentials: Credentials | undefined): string {
  if (!credentials) return ''
  const { username, password, identityToken, registryToken } = credentials
  return createHash('sha256')
    .update(JSON.stringify([username, password, identityToken, registryToken]))
    .digest('hex')
}
