import { collect } from '#base'
import * as v from 'valibot'
import { parseChallenges, type Challenge } from './challenge.ts'
import { RegistryError, replyError } from './error.ts'
import { describeRequest, type Http, type HttpReply } from './http.ts'
import type { Credentials } from './types.ts'

/** A token is renewed this many milliseconds before its end. */
const MARGIN = 5000
/** Seconds a token lasts where the server does not say (distribution's token specification). */
const DEFAULT_LIFE = 60
/** How this program is called at token servers. */
const CLIENT = 'mica'
const MAX_TOKEN_REPLY = 1 << 20

export interface AuthParts {
  readonly http: Http
  readonly credentials: Credentials | undefined
  /** True where tokens may be asked for without TLS. */
  readonly insecure: boolean
  readonly now: () => number
  /** Ask for an identity token too, as a login does. */
  readonly offline?: boolean
}

/** What stands in the `authorization` header, learnt from the registry's challenges. */
export interface Auth {
  /** The header for these scopes, where it is known already what the registry wants. `what` names the request. */
  known(scopes: readonly string[], what: string, signal?: AbortSignal): Promise<string | undefined>
  /** The answer to a 401; throws `unauthorized` where there is none. `what` names the request. */
  answer(
    challenge: string,
    request: { readonly what: string; readonly scopes: readonly string[]; readonly refused: string | undefined },
    signal?: AbortSignal,
  ): Promise<string>
  /** The token that stands for the credentials from now on, where the token server gave one. */
  identityToken(): string | undefined
}

interface Token {
  readonly header: string
  readonly until: number
  readonly identity?: string
}

interface Realm {
  readonly url: URL
  readonly service: string | undefined
}

const tokenReply = v.object({
  token: v.nullish(v.string()),
  access_token: v.nullish(v.string()),
  expires_in: v.nullish(v.number()),
  refresh_token: v.nullish(v.string()),
})

export function createAuth(parts: AuthParts): Auth {
  const tokens = new Map<string, Token>()
  let realm: Realm | undefined
  let basic: string | undefined
  let identity: string | undefined
  const bearer = async (scopes: readonly string[], what: string, signal?: AbortSignal): Promise<string> => {
    const key = scopes.toSorted().join(' ')
    const kept = tokens.get(key)
    if (kept && kept.until > parts.now()) return kept.header
    if (!realm) throw noCredentials(what)
    const token = await fetchToken(parts, { realm, scopes, what }, signal)
    identity = token.identity ?? identity
    tokens.set(key, token)
    return token.header
  }
  return {
    identityToken: () => identity,
    async known(scopes, what, signal) {
      return realm ? bearer(scopes, what, signal) : basic
    },
    async answer(challenge, { what, scopes, refused }, signal) {
      const challenges = parseChallenges(challenge)
      const wanted = challenges.find(({ scheme }) => scheme === 'bearer')
      if (wanted) {
        realm = realmOf(wanted, parts.insecure, what)
        const key = scopes.toSorted().join(' ')
        if (tokens.get(key)?.header === refused) tokens.delete(key)
        return bearer(scopes, what, signal)
      }
      const header = basicHeader(parts.credentials)
      const isBasic = challenges.some(({ scheme }) => scheme === 'basic')
      if (!isBasic || header === undefined) throw noCredentials(what)
      if (refused !== undefined) throw wrongCredentials(what)
      basic = header
      return header
    },
  }
}

function realmOf({ parameters }: Challenge, insecure: boolean, what: string): Realm {
  const text = parameters.get('realm') ?? ''
  const url = URL.parse(text)
  const fits = url !== null && (url.protocol === 'https:' || (insecure && url.protocol === 'http:'))
  if (!fits) {
    throw new RegistryError('unauthorized', `${what}: the token server ${JSON.stringify(text)} cannot be used`, {
      status: 401,
    })
  }
  return { url, service: parameters.get('service') }
}

interface Question {
  readonly realm: Realm
  readonly scopes: readonly string[]
  /** The request for which the token is wanted. */
  readonly what: string
}

/** docs.docker.com «Token Authentication Specification»: GET with Basic, or OAuth2's POST for an identity token. */
async function fetchToken(
  parts: AuthParts,
  { realm, scopes, what }: Question,
  signal: AbortSignal | undefined,
): Promise<Token> {
  const { credentials, offline = false } = parts
  if (credentials?.registryToken) return { header: `Bearer ${credentials.registryToken}`, until: Infinity }
  const request = credentials?.identityToken
    ? oauthRequest(realm, scopes, credentials.identityToken)
    : tokenRequest(realm, scopes, { credentials, offline })
  const reply = await parts.http.send({ ...request, ...(signal && { signal }) })
  if (reply.status === 401 || reply.status === 403) throw await refusedError(what, reply)
  if (reply.status !== 200) throw await replyError(describeRequest(request), reply)
  return tokenOf(await collect(reply.body, MAX_TOKEN_REPLY), describeRequest(request), parts.now())
}

/** «unauthorized: incorrect username or password», in the token server's own words where it has some. */
async function refusedError(what: string, reply: HttpReply): Promise<RegistryError> {
  const { message, codes } = await replyError(what, reply)
  if (codes.length === 0) return wrongCredentials(what)
  return new RegistryError('unauthorized', `${what}: ${message}`, { status: 401 })
}

function tokenRequest(
  realm: Realm,
  scopes: readonly string[],
  { credentials, offline }: { readonly credentials: Credentials | undefined; readonly offline: boolean },
) {
  const url = new URL(realm.url)
  if (realm.service !== undefined) url.searchParams.set('service', realm.service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  if (credentials?.username) url.searchParams.set('account', credentials.username)
  if (offline) {
    url.searchParams.set('offline_token', 'true')
    url.searchParams.set('client_id', CLIENT)
  }
  const authorization = basicHeader(credentials)
  return { method: 'GET' as const, url, headers: { ...(authorization !== undefined && { authorization }) } }
}

function oauthRequest(realm: Realm, scopes: readonly string[], identityToken: string) {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: identityToken,
    client_id: CLIENT,
    service: realm.service ?? '',
    scope: scopes.join(' '),
  })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return { method: 'POST' as const, url: realm.url, headers, body: Buffer.from(form.toString()) }
}

function tokenOf(bytes: Buffer, what: string, now: number): Token {
  const found = v.safeParse(tokenReply, parseJson(bytes))
  const text = found.success ? (found.output.token ?? found.output.access_token) : undefined
  if (!found.success || !text) {
    throw new RegistryError('unavailable', `${what}: the token server answered without a token`, { status: 200 })
  }
  const life = Math.max(found.output.expires_in ?? DEFAULT_LIFE, DEFAULT_LIFE)
  const identity = found.output.refresh_token
  return { header: `Bearer ${text}`, until: now + life * 1000 - MARGIN, ...(identity && { identity }) }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

function basicHeader(credentials: Credentials | undefined): string | undefined {
  const { username, password } = credentials ?? {}
  if (!username || password === undefined) return undefined
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

function noCredentials(what: string): RegistryError {
  return new RegistryError('unauthorized', `${what}: no basic auth credentials`, { status: 401 })
}

function wrongCredentials(what: string): RegistryError {
  return new RegistryError('unauthorized', `${what}: unauthorized: incorrect username or password`, { status: 401 })
}
