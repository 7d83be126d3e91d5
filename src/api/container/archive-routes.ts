import { invalid } from '#base'
import type { ContainerService } from '#engine'
import { formatPathStat, PATH_STAT_HEADER } from '#wire'
import type { Exchange, Route } from '#api/exchange'

type Copying = Pick<ContainerService, 'stat' | 'pack' | 'unpack'>

/** `docker cp`: what stands at a path of a container, the path as a tar, a tar unpacked there. */
export function archiveRoutes(containers: Copying): readonly Route[] {
  const pattern = '/containers/{id...}/archive'
  return [
    { method: 'HEAD', pattern, handle: (exchange) => stat(exchange, containers) },
    { method: 'GET', pattern, handle: (exchange) => pack(exchange, containers) },
    { method: 'PUT', pattern, takesBody: true, handle: (exchange) => unpack(exchange, containers) },
  ]
}

async function stat(exchange: Exchange, containers: Copying): Promise<void> {
  const path = pathOf(exchange)
  const found = await containers.stat(exchange.param('id'), path)
  exchange.reply(200, undefined, { [PATH_STAT_HEADER]: formatPathStat(found) })
}

async function pack(exchange: Exchange, containers: Copying): Promise<void> {
  const path = pathOf(exchange)
  await using archive = await containers.pack(exchange.param('id'), path, exchange.signal)
  const reply = exchange.stream('application/x-tar', { [PATH_STAT_HEADER]: formatPathStat(archive.stat) })
  const connection = await reply.connection()
  if (connection) await archive.sendTo(connection)
  reply.end()
}

async function unpack(exchange: Exchange, containers: Copying): Promise<void> {
  const { query } = exchange
  await containers.unpack({
    container: exchange.param('id'),
    path: pathOf(exchange),
    bytes: exchange.body,
    ...(exchange.bodyOnConnection && { connection: exchange.bodyOnConnection }),
    keepKinds: query.flag('noOverwriteDirNonDir'),
    ownedByUser: query.flag('copyUIDGID'),
    signal: exchange.signal,
  })
  exchange.reply(200)
}

/** Docker's words, as they are. */
function pathOf({ query }: Exchange): string {
  const path = query.name('path')
  if (path === undefined) throw invalid('bad parameter: pathcannot be empty')
  return path
}
