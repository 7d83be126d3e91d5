import { listen } from '#test/loopback'
import { request as send, type IncomingMessage, type ServerResponse } from 'node:http'

const USER = 'me'
const PASSWORD = 'secret'
const BASIC = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`

export interface GuardOptions {
  /** Whether it asks for Basic, or for tokens of a server on another port. */
  readonly kind: 'basic' | 'bearer'
  /** Repositories that anybody may pull from. */
  readonly open?: readonly string[]
  /** Requests for which one token is good; any number where absent. */
  readonly uses?: number
  /** What an identity token is worth at the token server. */
  readonly identity?: string
  /** Repositories that nobody may push to. */
  readonly readOnly?: readonly string[]
}

export interface GuardedRegistry extends AsyncDisposable {
  readonly host: string
  /** Of each question for a token: «GET me repository:x:pull …», with `-` where nobody is named. */
  readonly questions: string[]
  /** Kinds of credentials that reached the registry's own port. */
  readonly shown: Set<string>
}

interface Token {
  readonly scopes: readonly string[]
  left: number
}

/** Stands before a registry and lets in who has a token, or Basic credentials (me, secret). */
export async function startGuardedRegistry(registry: string, options: GuardOptions): Promise<GuardedRegistry> {
  const tokens = new Map<string, Token>()
  const questions: string[] = []
  const shown = new Set<string>()
  const server = await listen((request, reply) => void answerQuestion({ options, tokens, questions }, request, reply))
  const front = await listen((request, reply) => {
    shown.add((request.headers.authorization ?? '-').split(' ')[0] ?? '-')
    const need = needOf(request)
    const refusal = options.kind === 'basic' ? askBasic(request) : askToken({ options, tokens }, request, need)
    if (refusal === undefined) return forward(registry, request, reply)
    request.resume()
    const scope = need === undefined ? '' : `,scope="${need}"`
    const lacks = options.kind === 'bearer' && request.headers.authorization ? ',error="insufficient_scope"' : ''
    const realm = `Bearer realm="http://${server.host}/token",service="guard"${scope}${lacks}`
    const challenge = options.kind === 'basic' ? 'Basic realm="guard"' : realm
    const headers = refusal.status === 401 ? { 'www-authenticate': challenge } : {}
    reply.writeHead(refusal.status, { 'content-type': 'application/json', ...headers })
    reply.end(JSON.stringify({ errors: [{ code: refusal.code, message: refusal.message, detail: null }] }))
  })
  return {
    host: front.host,
    questions,
    shown,
    async [Symbol.asyncDispose]() {
      await front.close()
      await server.close()
    },
  }
}

interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
}

const UNKNOWN: Refusal = { status: 401, code: 'UNAUTHORIZED', message: 'authentication required' }
const DENIED: Refusal = { status: 403, code: 'DENIED', message: 'requested access to the resource is denied' }

function askBasic(request: IncomingMessage): Refusal | undefined {
  return request.headers.authorization === BASIC ? undefined : UNKNOWN
}

interface Door {
  readonly options: GuardOptions
  readonly tokens: Map<string, Token>
}

function askToken({ options, tokens }: Door, request: IncomingMessage, need: string | undefined): Refusal | undefined {
  const token = tokens.get((request.headers.authorization ?? '').replace(/^Bearer /, ''))
  if (token === undefined || token.left <= 0) return UNKNOWN
  token.left -= 1
  if (need === undefined) return undefined
  const [, repository = '', action = ''] = need.split(':')
  const granted = token.scopes.find((scope) => scope.startsWith(`repository:${repository}:`))
  if (action.includes('push') && (options.readOnly ?? []).includes(repository)) return DENIED
  const actions = (granted?.split(':')[2] ?? '').split(',')
  return action.split(',').every((one) => actions.includes(one)) ? undefined : UNKNOWN
}

/** «repository:x:pull,push», or nothing for the base of the API. */
function needOf({ method, url = '' }: IncomingMessage): string | undefined {
  const repository = /^\/v2\/(.+)\/(?:manifests|blobs|tags)\//.exec(url)?.[1]
  if (repository === undefined) return undefined
  return `repository:${repository}:${method === 'GET' || method === 'HEAD' ? 'pull' : 'pull,push'}`
}

interface Counter extends Door {
  readonly questions: string[]
}

async function answerQuestion(
  { options, tokens, questions }: Counter,
  request: IncomingMessage,
  reply: ServerResponse,
) {
  const { scopes, user, allowed } = await readQuestion(options, request)
  questions.push([request.method, user, ...scopes].join(' '))
  if (!allowed) {
    reply.writeHead(401, { 'content-type': 'application/json' })
    reply.end('{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}')
    return
  }
  const text = `token-${questions.length}`
  const granted = user === '-' ? scopes.flatMap((scope) => publicPart(options, scope)) : scopes
  tokens.set(text, { scopes: granted, left: options.uses ?? Number.POSITIVE_INFINITY })
  const refresh = options.identity === undefined ? {} : { refresh_token: options.identity }
  reply.writeHead(200, { 'content-type': 'application/json' })
  reply.end(JSON.stringify({ token: text, access_token: text, expires_in: 300, ...refresh }))
}

function publicPart({ open = [] }: GuardOptions, scope: string): readonly string[] {
  const [type, repository = ''] = scope.split(':')
  return open.includes(repository) ? [`${type}:${repository}:pull`] : []
}

async function readQuestion({ identity }: GuardOptions, request: IncomingMessage) {
  if (request.method === 'POST') {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    const byPassword = form.get('username') === USER && form.get('password') === PASSWORD
    const allowed = form.get('grant_type') === 'password' ? byPassword : form.get('refresh_token') === identity
    const scopes = (form.get('scope') ?? '').split(' ').filter((scope) => scope !== '')
    return { scopes, user: form.get('grant_type') ?? '-', allowed }
  }
  const { searchParams } = new URL(request.url ?? '', 'http://guard')
  const { authorization } = request.headers
  const scopes = searchParams.getAll('scope').flatMap((scope) => scope.split(' '))
  if (authorization === undefined) return { scopes, user: '-', allowed: true }
  return { scopes, user: searchParams.get('account') ?? USER, allowed: authorization === BASIC }
}

function forward(registry: string, request: IncomingMessage, reply: ServerResponse): void {
  const { authorization: _, ...headers } = request.headers
  const call = send(`http://${registry}${request.url}`, { method: request.method, headers }, (answer) => {
    reply.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(reply)
  })
  call.on('error', () => reply.destroy())
  request.pipe(call)
}
