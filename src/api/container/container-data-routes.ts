import { invalid } from '#base'
import type { CommitRequest, ContainerRecord, ContainerService, PathChange } from '#engine'
import { canonicalReference, parseReference } from '#oci'
import { type ChangeJson, checkFilterNames, filterLabels, parseObjectBody } from '#wire'
import { type Exchange, type Route, untilOf } from '#api/exchange'

export interface ContainerDataParts {
  readonly containers: ContainerService
  /** Nanoseconds since the epoch. */
  readonly now: () => bigint
}

/** What is in containers and what becomes of it: processes, changes, exports, commits, and prunes. */
export function containerDataRoutes({ containers, now }: ContainerDataParts): readonly Route[] {
  return [
    { method: 'GET', pattern: '/containers/{id...}/top', handle: (exchange) => top(exchange, containers) },
    {
      method: 'GET',
      pattern: '/containers/{id...}/changes',
      async handle({ param, reply }) {
        const changes = (await containers.changes(param('id'))).map(changeJson)
        reply(200, changes.length > 0 ? changes : null)
      },
    },
    { method: 'GET', pattern: '/containers/{id...}/export', handle: (exchange) => exportRoot(exchange, containers) },
    { method: 'POST', pattern: '/commit', handle: (exchange) => commit(exchange, containers) },
    { method: 'POST', pattern: '/containers/prune', handle: (exchange) => prune(exchange, containers, now()) },
  ]
}

async function top({ query, param, reply }: Exchange, containers: ContainerService): Promise<void> {
  const words = (query.text('ps_args') ?? '-ef').split(/\s+/).filter((word) => word !== '')
  const { titles, processes } = await containers.top(param('id'), words)
  reply(200, { Titles: titles, Processes: processes })
}

const KINDS = { changed: 0, added: 1, removed: 2 } as const

function changeJson({ path, kind }: PathChange): ChangeJson {
  return { Path: path, Kind: KINDS[kind] }
}

async function exportRoot(exchange: Exchange, containers: ContainerService): Promise<void> {
  const bytes = await containers.export(exchange.param('id'), exchange.signal)
  const reply = exchange.stream('application/octet-stream')
  for await (const chunk of bytes) await reply.write(chunk)
  reply.end()
}

async function commit(exchange: Exchange, containers: ContainerService): Promise<void> {
  const { query } = exchange
  refuseConfig(await exchange.json())
  const container = query.text('container')
  if (container === undefined) throw invalid('invalid name or ID supplied: ""')
  const record = await containers.get(container)
  const id = await containers.commit({ ...textsOf(exchange), container: record.id, pause: query.flag('pause', true) })
  exchange.reply(201, { Id: id })
}

function textsOf({ query }: Exchange): Pick<CommitRequest, 'name' | 'comment' | 'author' | 'changes'> {
  const [name, comment, author] = [
    nameOf(query.text('repo'), query.text('tag')),
    query.text('comment'),
    query.text('author'),
  ]
  return {
    ...(name !== undefined && { name }),
    ...(comment !== undefined && { comment }),
    ...(author !== undefined && { author }),
    changes: query.list('changes').flatMap((lines) => lines.split('\n').filter((line) => line.trim() !== '')),
  }
}

/** Throws `invalid` for what is no name, before anything is committed. */
function nameOf(repository: string | undefined, tag: string | undefined): string | undefined {
  if (repository === undefined) return undefined
  return canonicalReference(parseReference(tag === undefined ? repository : `${repository}:${tag}`))
}

/** What dockerode says in the query and once more in the body, where Docker does not look at it. */
const IN_QUERY = new Set(['container', 'repo', 'tag', 'comment', 'author', 'pause', 'changes'])

/** Old clients may send a whole config; changes are asked for by Dockerfile lines here. */
function refuseConfig(body: unknown): void {
  const set = Object.entries(parseObjectBody(body ?? {})).filter(([name, value]) => !IN_QUERY.has(name) && asks(value))
  if (set.length > 0) {
    const members = set.map(([name]) => name).join(', ')
    throw invalid(`commit: a config in the body is not yet carried out by mica (${members}); use --change instead`)
  }
}

function asks(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0
  return value !== null && value !== '' && value !== false && value !== 0
}

async function prune({ query, reply }: Exchange, containers: ContainerService, now: bigint): Promise<void> {
  const filters = query.filters()
  checkFilterNames(filters, ['until', 'label', 'label!'])
  const before = untilOf(filters, now)
  const keep = (record: ContainerRecord): boolean =>
    !filterLabels(filters, record.labels) || (before !== undefined && record.createdAt >= before)
  const { removed, bytes } = await containers.prune(keep)
  reply(200, { ContainersDeleted: removed.length > 0 ? removed : null, SpaceReclaimed: bytes })
}
