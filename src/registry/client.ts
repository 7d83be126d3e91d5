import { collect, corrupt, isKind, sleep, throwIfCancelled, type Bytes } from '#base'
import type { Address } from './address.ts'
import type { Auth } from './auth.ts'
import { RegistryError, replyError } from './error.ts'
import { describeRequest, isWrongVersion, type Http, type HttpReply, type HttpRequest } from './http.ts'
import type { Patience } from './types.ts'

const MAX_REDIRECTS = 10

export interface Call {
  readonly method: HttpRequest['method']
  /** Below the registry's base («/v2/…»), or a whole URL that the registry gave. */
  readonly target: string | URL
  readonly headers?: Readonly<Record<string, string>>
  /** A stream is opened for each attempt. */
  readonly body?: Uint8Array | (() => Bytes)
  /** May be sent again after a refusal; reads always may. */
  readonly repeatable?: boolean
  /** What a token must allow («repository:library/x:pull»). */
  readonly scopes: readonly string[]
  readonly signal?: AbortSignal | undefined
}

/** Requests to one registry: scheme, authorization, redirects, and patience with busy servers. */
export interface Client {
  /** The reply, whatever its status (a 401 has been answered where that was possible). */
  send(call: Call): Promise<HttpReply>
  /** As `send`; a status that is not among these throws what the registry said. */
  expect(call: Call, statuses: readonly number[]): Promise<HttpReply>
  /** A whole body of status 200; fetched again where it was cut. Throws `corrupt` where it has more than `limit` bytes. */
  read(call: Call, limit: number): Promise<WholeReply>
  /** A link that the registry gave, made absolute; its scheme is not weaker than the registry's own. */
  resolveLink(link: string, signal?: AbortSignal): Promise<URL>
}

export interface WholeReply {
  readonly bytes: Buffer
  header(name: string): string | undefined
}

export interface ClientParts {
  readonly address: Address
  readonly http: Http
  readonly auth: Auth
  readonly patience: Patience
}

export function createClient(parts: ClientParts): Client {
  const { address, patience } = parts
  const findBase = createBaseFinder(parts)
  const locate = (target: string | URL, base: URL): URL =>
    typeof target === 'string' ? new URL(`${base.origin}${address.prefix}${target}`) : target
  const send = async (call: Call): Promise<HttpReply> => {
    const base = await findBase(call.signal)
    const located = { ...call, target: locate(call.target, base) }
    return patiently(patience, call, () => authorized(parts, base.origin, located))
  }
  const expect = async (call: Call, statuses: readonly number[]): Promise<HttpReply> => {
    const reply = await send(call)
    if (statuses.includes(reply.status)) return reply
    const url = locate(call.target, await findBase(call.signal))
    throw await replyError(describeRequest({ method: call.method, url }), reply)
  }
  return {
    send,
    expect,
    read: (call, limit) => readWhole(patience, call, limit, () => expect(call, [200])),
    async resolveLink(link, signal) {
      const base = await findBase(signal)
      const url = URL.parse(link, base.href)
      if (!url) throw new RegistryError('unavailable', `${address.text} gave a link that is none`, { status: 0 })
      if (url.host === base.host) url.protocol = base.protocol
      return url
    },
  }
}

/** What the scheme is does not change; but a registry that was not there yet must be asked again. */
function createBaseFinder(parts: ClientParts): (signal: AbortSignal | undefined) => Promise<URL> {
  let known: URL | undefined
  let probing: Promise<{ readonly base: URL; readonly sure: boolean }> | undefined
  const findBase = async (signal: AbortSignal | undefined): Promise<URL> => {
    if (known) return known
    probing ??= probe(parts, signal).finally(() => (probing = undefined))
    try {
      const { base, sure } = await probing
      if (sure) known = base
      return base
    } catch (error) {
      // Who began it may have left, while this caller stays.
      if (isKind(error, 'cancelled') && signal?.aborted !== true) return findBase(signal)
      throw error
    }
  }
  return findBase
}

/** TLS unless the address says otherwise; plain HTTP only where TLS is not spoken and the address is insecure. */
async function probe(
  { address, http }: ClientParts,
  signal: AbortSignal | undefined,
): Promise<{ readonly base: URL; readonly sure: boolean }> {
  const base = (scheme: string): URL => new URL(`${scheme}://${address.host}${address.prefix}/`)
  if (address.scheme !== undefined) return { base: base(address.scheme), sure: true }
  if (!address.insecure) return { base: base('https'), sure: true }
  try {
    const url = new URL('v2/', base('https'))
    await (await http.send({ method: 'GET', url, headers: {}, ...(signal && { signal }) })).discard()
    return { base: base('https'), sure: true }
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error
    return { base: base('http'), sure: isWrongVersion(error.cause) }
  }
}

interface LocatedCall extends Call {
  readonly target: URL
}

/** Sends with what is known of authorization, and once more with the answer to a 401 of the registry itself. */
async function authorized({ auth, http, address }: ClientParts, origin: string, call: LocatedCall): Promise<HttpReply> {
  const what = describeRequest({ method: call.method, url: call.target })
  const given = await auth.known(call.scopes, what, call.signal)
  const { reply, end } = await follow(http, { call, origin, given, insecure: address.insecure })
  const challenge = reply.header('www-authenticate')
  // A foreign host's challenge must not make us send credentials where it wants them.
  const mayAnswer = reply.status === 401 && challenge !== undefined && end.origin === origin
  if (!mayAnswer) return reply
  await reply.discard()
  const answer = await auth.answer(challenge, { what, scopes: call.scopes, refused: given }, call.signal)
  return (await follow(http, { call, origin, given: answer, insecure: address.insecure })).reply
}

interface Journey {
  readonly call: LocatedCall
  readonly origin: string
  readonly given: string | undefined
  readonly insecure: boolean
}

/** Redirects are followed for reads alone; credentials go to the registry's own origin and nowhere else. */
async function follow(
  http: Http,
  { call, origin, given, insecure }: Journey,
): Promise<{ readonly reply: HttpReply; readonly end: URL }> {
  let url = call.target
  for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
    const isHome = url.origin === origin
    const reply = await http.send({
      method: call.method,
      url,
      headers: { ...call.headers, ...(isHome && given !== undefined && { authorization: given }) },
      ...(call.body && { body: typeof call.body === 'function' ? call.body() : call.body }),
      ...(call.signal && { signal: call.signal }),
    })
    const location = reply.header('location')
    const isRead = call.method === 'GET' || call.method === 'HEAD'
    if (!isRead || location === undefined || ![301, 302, 303, 307, 308].includes(reply.status))
      return { reply, end: url }
    await reply.discard()
    url = redirectTarget(location, url, insecure)
  }
  const what = describeRequest({ method: call.method, url: call.target })
  throw new RegistryError('unavailable', `${what}: stopped after ${MAX_REDIRECTS} redirects`, { status: 0 })
}

function redirectTarget(location: string, from: URL, insecure: boolean): URL {
  const to = URL.parse(location, from.href)
  const fits =
    to !== null && (to.protocol === 'https:' || (to.protocol === 'http:' && (insecure || from.protocol === 'http:')))
  if (fits) return to
  throw new RegistryError(
    'unavailable',
    `${describeRequest({ method: 'GET', url: from })}: it redirects to where TLS ends or no server is`,
    { status: 0 },
  )
}

/** Repeats what a busy or restarting server refused; a connection that never stood is not repeated. */
async function patiently(patience: Patience, call: Call, send: () => Promise<HttpReply>): Promise<HttpReply> {
  const mayRepeat = call.method === 'GET' || call.method === 'HEAD' || call.repeatable === true
  for (let attempt = 1; ; attempt += 1) {
    const isLast = attempt >= patience.attempts || !mayRepeat
    try {
      const reply = await send()
      if (isLast || ![429, 500, 502, 503, 504].includes(reply.status)) return reply
      await reply.discard()
      await sleep(pause(patience, attempt, reply.header('retry-after')), call.signal)
    } catch (error) {
      if (isLast || !wasCut(error)) throw error
      await sleep(pause(patience, attempt), call.signal)
    }
    throwIfCancelled(call.signal, 'request to the registry')
  }
}

async function readWhole(
  patience: Patience,
  call: Call,
  limit: number,
  open: () => Promise<HttpReply>,
): Promise<WholeReply> {
  for (let attempt = 1; ; attempt += 1) {
    const reply = await open()
    try {
      return { bytes: await collect(reply.body, limit), header: (name) => reply.header(name) }
    } catch (error) {
      if (error instanceof RangeError) throw corrupt(`a reply of the registry has more than ${limit} bytes`)
      if (attempt >= patience.attempts || !wasCut(error)) throw error
    }
    await sleep(pause(patience, attempt), call.signal)
  }
}

function wasCut(error: unknown): boolean {
  return error instanceof RegistryError && error.status === 0 && /unexpected EOF|deadline exceeded/.test(error.message)
}

/** `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3), within reason; else a doubling delay. */
function pause({ delay, longest }: Patience, attempt: number, retryAfter?: string): number {
  const own = delay * 2 ** (attempt - 1)
  if (retryAfter === undefined) return Math.min(own, longest)
  const asked = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now()
  return Math.min(Number.isFinite(asked) ? Math.max(asked, 0) : own, longest)
}
