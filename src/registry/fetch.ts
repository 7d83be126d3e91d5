import { EngineError, invalid, type Bytes } from '#base'
import { createHttp, type HttpReply } from './http.ts'
import type { ProxyConfig } from './types.ts'

const http = process.getBuiltinModule('node:http')

/** As many as Go's client follows. */
const MAX_REDIRECTS = 10
/** Of an error's page, in bytes. */
const MAX_WORDS = 4096

/** A file of the web on its way. */
interface FetchedFile extends AsyncDisposable {
  /** Bytes, where the server says it. */
  readonly length?: number
  /** Milliseconds since the epoch. */
  readonly lastModified?: number
  /** Of `Content-Disposition`: the name that the server gives it. */
  readonly name?: string
  /** May be read once; ends with an error where it is cut short. */
  readonly body: Bytes
}

/** Gets a file by http or https; redirects are followed, nothing is sent along. */
type Fetcher = (url: string, signal?: AbortSignal) => Promise<FetchedFile>

export function createFetcher(options: { readonly proxy?: ProxyConfig }): Fetcher {
  return async (text, signal) => {
    const stack = new AsyncDisposableStack()
    try {
      const reply = await follow(options, stack, { url: parseWebAddress(text), ...(signal && { signal }) })
      if (reply.status >= 400) throw await refusal(text, reply)
      return { ...factsOf(reply), body: reply.body, [Symbol.asyncDispose]: () => stack.disposeAsync() }
    } catch (error) {
      await stack.disposeAsync()
      throw error
    }
  }
}

interface Wanted {
  readonly url: URL
  readonly signal?: AbortSignal
}

async function follow(
  options: { readonly proxy?: ProxyConfig },
  stack: AsyncDisposableStack,
  { url, signal }: Wanted,
): Promise<HttpReply> {
  let at = url
  for (let count = 0; count <= MAX_REDIRECTS; count += 1) {
    const http = stack.use(createHttp({ host: at.host, trustAny: false, ...options }))
    const reply = await http.send({ method: 'GET', url: at, headers: {}, ...(signal && { signal }) })
    const next = reply.status >= 300 && reply.status < 400 ? reply.header('location') : undefined
    if (next === undefined) return reply
    await reply.discard()
    at = parseWebAddress(next, at)
  }
  throw invalid(`Get "${url.href}": stopped after ${MAX_REDIRECTS} redirects`)
}

function parseWebAddress(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw invalid(`cannot get ${text}: it is no http or https address`)
  return url
}

/** As Docker's daemon says it, with what the server had to say. */
async function refusal(url: string, reply: HttpReply): Promise<EngineError> {
  const reason = reply.reason === '' ? (http.STATUS_CODES[reply.status] ?? '') : reply.reason
  const words = await firstWords(reply.body)
  const message = `failed to GET ${url} with status ${reply.status} ${reason}: ${words}`
  if (reply.status === 404) return new EngineError('not-found', message)
  return new EngineError(reply.status >= 500 ? 'unavailable' : 'invalid', message)
}

async function firstWords(body: Bytes): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    size += chunk.length
    if (size >= MAX_WORDS) break
  }
  return Buffer.concat(chunks).subarray(0, MAX_WORDS).toString('utf8').trimEnd()
}

function factsOf(reply: HttpReply): Pick<FetchedFile, 'length' | 'lastModified' | 'name'> {
  const length = Number.parseInt(reply.header('content-length') ?? '', 10)
  const modified = Date.parse(reply.header('last-modified') ?? '')
  const [, quoted, plain] =
    /;\s*filename=(?:"([^"]*)"|([^;\s]+))/i.exec(reply.header('content-disposition') ?? '') ?? []
  const name = (quoted ?? plain ?? '').split('/').at(-1) ?? ''
  return {
    ...(Number.isNaN(length) ? {} : { length }),
    ...(Number.isNaN(modified) ? {} : { lastModified: modified }),
    ...(name === '' ? {} : { name }),
  }
}
