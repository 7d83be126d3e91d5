import { HubFault } from './fault.ts'
import type { HubReply, HubRequest, Shelf } from './types.ts'

/** distribution-spec, «Listing Tags». */
export async function listTags(shelf: Shelf, repository: string, { query }: HubRequest): Promise<HubReply> {
  const tags = await shelf.tags(repository)
  if (!tags)
    throw new HubFault('NAME_UNKNOWN', 'repository name not known to registry', { detail: { name: repository } })
  const { page, headers } = paginate(tags, query, `/v2/${repository}/tags/list`)
  return json({ name: repository, tags: page }, headers)
}

/** Not of the specification any more, but asked for by every tool that lists a registry. */
export async function listRepositories(shelf: Shelf, { query }: HubRequest): Promise<HubReply> {
  const { page, headers } = paginate(await shelf.repositories(), query, '/v2/_catalog')
  return json({ repositories: page }, headers)
}

/** `n` names after `last`; a `Link` leads to the next ones (RFC 8288). */
export function paginate(
  names: readonly string[],
  query: URLSearchParams,
  path: string,
): { readonly page: readonly string[]; readonly headers: Readonly<Record<string, string>> } {
  const [count, last] = [query.get('n'), query.get('last')]
  const rest = last === null ? names : names.filter((name) => name > last)
  if (count === null) return { page: rest, headers: {} }
  if (!/^\d{1,9}$/.test(count))
    throw new HubFault('UNSUPPORTED', 'invalid number of results requested', { status: 400 })
  const page = rest.slice(0, Number(count))
  const end = page.at(-1)
  if (end === undefined || page.length === rest.length) return { page, headers: {} }
  const next = new URLSearchParams({ n: count, last: end })
  return { page, headers: { link: `<${path}?${next.toString()}>; rel="next"` } }
}

function json(value: unknown, headers: Readonly<Record<string, string>>): HubReply {
  return {
    status: 200,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(`${JSON.stringify(value)}\n`),
  }
}
