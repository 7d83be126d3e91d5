import { invalid } from '#base'
import { parseDigest } from './digest.ts'
import type { Digest, Reference } from './types.ts'

const DEFAULT_DOMAIN = 'docker.io'
const LEGACY_DOMAIN = 'index.docker.io'
const OFFICIAL = 'library/'
const DEFAULT_TAG = 'latest'

/** Longest path of a repository (distribution's reference grammar). */
const MAX_PATH = 255
const MAX_TEXT = 4096

const DOMAIN_COMPONENT = /^(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])$/
const IPV6 = /^\[[a-fA-F0-9:]+\]$/
const PORT = /^[0-9]+$/
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/
const TAG = /^\w[\w.-]{0,127}$/
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/
const IDENTIFIER = /^[a-f0-9]{64}$/

/**
 * A name as people type it, normalised as Docker does («alpine» is docker.io/library/alpine:latest).
 * Without tag and digest it gets the tag `latest`. Throws `invalid` in Docker's words.
 */
export function parseReference(text: string): Reference {
  return withDefaultTag(parseNamed(text))
}

/** As `parseReference`, but a name without tag and digest stays without. */
export function parseNamed(text: string): Reference {
  if (IDENTIFIER.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`)
  }
  if (text.length > MAX_TEXT) throw invalid('repository name must not be more than 255 characters')
  const { domain, rest } = splitDomain(text)
  refuseUppercase(rest)
  const at = rest.indexOf('@')
  const named = at < 0 ? rest : rest.slice(0, at)
  const colon = named.indexOf(':')
  const path = colon < 0 ? named : named.slice(0, colon)
  if (!isDomain(domain) || !path.split('/').every((part) => PATH_COMPONENT.test(part))) throw invalidFormat()
  const reference: Reference = {
    domain,
    path,
    ...(colon >= 0 && { tag: parseTag(named.slice(colon + 1)) }),
    ...(at >= 0 && { digest: parseReferenceDigest(rest.slice(at + 1)) }),
  }
  if (path.length > MAX_PATH) throw invalid(`repository name must not be more than ${MAX_PATH} characters`)
  return reference
}

/** The same name with the tag `latest` where it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference
  return { ...reference, tag: DEFAULT_TAG }
}

/** The short form of the repository that people see: «alpine», «user/app», «localhost:5000/app». */
export function familiarName(reference: Reference): string {
  const { domain, path } = reference
  if (domain !== DEFAULT_DOMAIN) return `${domain}/${path}`
  const rest = path.startsWith(OFFICIAL) ? path.slice(OFFICIAL.length) : path
  if (rest !== path && !rest.includes('/')) return rest
  // A first component that would be read as a host must keep its domain.
  return splitDomain(path).domain === DEFAULT_DOMAIN && path.includes('/') ? path : `${domain}/${path}`
}

/** The short form with tag and digest: «busybox:latest». */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffix(reference)
}

/** The full form: «docker.io/library/busybox:latest». Two references are equal where these are. */
export function canonicalReference(reference: Reference): string {
  return `${reference.domain}/${reference.path}${suffix(reference)}`
}

/** The repository of a reference: no tag, no digest. */
export function repositoryOf(reference: Reference): Reference {
  return { domain: reference.domain, path: reference.path }
}

function parseTag(text: string): string {
  if (!TAG.test(text)) throw invalidFormat()
  return text
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`)
}

/** What is before the first slash is a host if it looks like one: a dot, a colon, an upper-case letter, or «localhost». */
function splitDomain(text: string): { readonly domain: string; readonly rest: string } {
  const slash = text.indexOf('/')
  if (slash < 0) return { domain: DEFAULT_DOMAIN, rest: OFFICIAL + text }
  const first = text.slice(0, slash)
  const rest = text.slice(slash + 1)
  const isHost = first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first
  const domain = !isHost || first === LEGACY_DOMAIN ? DEFAULT_DOMAIN : first
  const path = isHost ? rest : text
  return { domain, rest: domain === DEFAULT_DOMAIN && !path.includes('/') ? OFFICIAL + path : path }
}

function refuseUppercase(rest: string): void {
  const colon = rest.indexOf(':')
  const name = colon < 0 ? rest : rest.slice(0, colon)
  if (name.toLowerCase() === name) return
  throw invalid(`invalid reference format: repository name (${name}) must be lowercase`)
}

function isDomain(domain: string): boolean {
  const [, host = domain, port] = /^(\[[^\]]*\]|[^:]*):([^:\]]*)$/.exec(domain) ?? []
  if (port !== undefined && !PORT.test(port)) return false
  return IPV6.test(host) || host.split('.').every((part) => DOMAIN_COMPONENT.test(part))
}

function parseReferenceDigest(text: string): Digest {
  if (!DIGEST.test(text)) throw invalidFormat()
  return parseDigest(text)
}

function invalidFormat(): Error {
  return invalid('invalid reference format')
}
