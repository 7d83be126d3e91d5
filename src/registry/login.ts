import type { Clock } from '#base'
import type { Address } from './address.ts'
import { createAuth } from './auth.ts'
import { createClient } from './client.ts'
import { RegistryError } from './error.ts'
import type { Http } from './http.ts'
import type { Credentials, Patience } from './types.ts'

const http = process.getBuiltinModule('node:http')

/** One registry, for a short conversation. */
export interface Caller {
  readonly address: Address
  readonly http: Http
  readonly clock: Clock
  readonly patience: Patience
}

/** Asks for the base of the API with these credentials (distribution-spec, «Determining Support»). */
export async function login(
  { address, http, clock, patience }: Caller,
  credentials: Credentials,
  signal?: AbortSignal,
): Promise<{ readonly identityToken?: string }> {
  const now = (): number => clock.milliseconds()
  const auth = createAuth({ http, credentials, insecure: address.insecure, now, offline: true })
  const client = createClient({ address, http, auth, patience: { ...patience, attempts: 1 } })
  const url = await client.resolveLink('/v2/', signal)
  const reply = await client.send({ method: 'GET', target: '/v2/', scopes: [], signal })
  if (reply.status !== 200) {
    await reply.discard()
    throw refused(url, reply.status)
  }
  await reply.discard()
  const identityToken = auth.identityToken()
  return identityToken === undefined ? {} : { identityToken }
}

function refused(url: URL, status: number): RegistryError {
  const text = `login attempt to ${url.origin}${url.pathname} failed with status: ${status} ${http.STATUS_CODES[status] ?? ''}`
  const kind = status === 401 || status === 403 ? 'unauthorized' : 'unavailable'
  return new RegistryError(kind, text.trim(), { status })
}
