import * as v from 'valibot'
import { EngineError, isKind } from '#base'
import { createAuth } from './auth.ts'
import { createClient } from './client.ts'
import { RegistryError } from './error.ts'
import type { Caller } from './login.ts'
import type { Credentials, FoundRepository } from './types.ts'

const MAX_REPLY = 8 << 20

const page = v.object({
  results: v.array(
    v.object({
      name: v.string(),
      description: v.nullish(v.string(), ''),
      star_count: v.nullish(v.number(), 0),
      is_official: v.nullish(v.boolean(), false),
      is_automated: v.nullish(v.boolean(), false),
    }),
  ),
})

/** «host/words» in its parts; docker.io where the first part names no host. */
export function splitTerm(term: string): { readonly domain: string; readonly words: string } {
  const at = term.indexOf('/')
  const first = term.slice(0, Math.max(at, 0))
  const isHost = /[.:]/.test(first) || first === 'localhost'
  const isHub = first === 'docker.io' || first === 'index.docker.io'
  if (!isHost || isHub) return { domain: 'docker.io', words: isHub ? term.slice(at + 1) : term }
  return { domain: first, words: term.slice(at + 1) }
}

interface SearchCaller extends Caller {
  readonly credentials: Credentials | undefined
}

/** The answer of the first that gives one; of failures the last is told. `limit` is how many are wanted. */
export async function searchRepositories(
  callers: readonly SearchCaller[],
  words: string,
  { limit, signal }: { readonly limit: number; readonly signal?: AbortSignal },
): Promise<readonly FoundRepository[]> {
  let failure: unknown
  for (const caller of callers) {
    try {
      return await searchAt(caller, { words, limit, signal })
    } catch (error) {
      if (!(error instanceof EngineError) || isKind(error, 'cancelled')) throw error
      failure = error
    }
  }
  throw failure
}

interface Search {
  readonly words: string
  readonly limit: number
  readonly signal: AbortSignal | undefined
}

async function searchAt(caller: SearchCaller, { words, limit, signal }: Search): Promise<readonly FoundRepository[]> {
  const { address, clock, patience } = caller
  const auth = createAuth({ ...caller, insecure: address.insecure, now: () => clock.milliseconds() })
  const client = createClient({ ...caller, auth, patience: { ...patience, attempts: 1 } })
  const query = new URLSearchParams({ q: words, n: String(limit) })
  const reply = await client
    .read({ method: 'GET', target: `/v1/search?${query.toString()}`, scopes: [], signal }, MAX_REPLY)
    .catch((error: unknown) => {
      throw noSearch(error) ? unsearchable(address.text, error.status) : error
    })
  const found = v.safeParse(page, parseJson(reply.bytes))
  if (!found.success) throw unsearchable(address.text, 200)
  return found.output.results.slice(0, limit).map((result) => ({
    name: result.name,
    description: result.description,
    stars: result.star_count,
    official: result.is_official,
    automated: result.is_automated,
  }))
}

function noSearch(error: unknown): error is RegistryError {
  return error instanceof RegistryError && [404, 405, 410, 501].includes(error.status)
}

function unsearchable(host: string, status: number): RegistryError {
  const text = `cannot search at ${host}: it offers no search (Unexpected status code ${status})`
  return new RegistryError('unsupported', text, { status })
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
