import * as v from 'valibot'
import type { Client } from './client.ts'
import { RegistryError } from './error.ts'

const MAX_PAGE = 16 << 20
/** Pages of one list; more is a loop. */
const MAX_PAGES = 1000

const page = v.object({ tags: v.nullish(v.array(v.string())) })

/** All pages of the list (distribution-spec, «Listing Tags»). */
export async function listTags(client: Client, repository: string, signal?: AbortSignal): Promise<readonly string[]> {
  const tags: string[] = []
  let target: string | URL = `/v2/${repository}/tags/list?n=1000`
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const scopes = [`repository:${repository}:pull`]
    const reply = await client.read({ method: 'GET', target, scopes, signal }, MAX_PAGE)
    tags.push(...parsePage(reply.bytes, repository))
    const next = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(reply.header('link') ?? '')
    if (!next) return tags
    target = await client.resolveLink(next[1] ?? '', signal)
  }
  throw unreadable(repository)
}

function parsePage(bytes: Buffer, repository: string): readonly string[] {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw unreadable(repository)
  }
  const found = v.safeParse(page, value)
  if (!found.success) throw unreadable(repository)
  return found.output.tags ?? []
}

function unreadable(repository: string): RegistryError {
  return new RegistryError('unavailable', `cannot list the tags of ${repository}: the list cannot be read`, {
    status: 200,
  })
}
