import { invalid, messageOf, systemClock, unsupported } from '#base'
import type { ContainerRecord, Engine, WaitCondition } from '#engine'
import type { CreatedJson, WaitJson } from '#wire'
import { type Exchange, type Handler, JsonText, type ReplyStream, type Route, type SmallExchange } from '#api/exchange'
import { archiveRoutes } from './archive-routes.ts'
import { selectContainers } from './container-filter.ts'
import { containerDataRoutes } from './container-data-routes.ts'
import { imageLabels } from './container-image.ts'
import { containerJson, type ContainerSize, containerSummary } from './container-view.ts'
import { createWarnings, parseCreate } from './create-request.ts'
import { streamRoutes } from './stream-routes.ts'

type Parts = Pick<Engine, 'containers' | 'images' | 'system'>

/** Containers: their records and their life; what is in them and their streams. */
export function containerRoutes(engine: Parts): readonly Route[] {
  const clock = systemClock()
  const now = (): bigint => clock.nanoseconds()
  return [
    { method: 'GET', pattern: '/containers/json', isSmall: true, handle: (exchange) => list(exchange, engine, now()) },
    { method: 'POST', pattern: '/containers/create', handle: (exchange) => create(exchange, engine) },
    {
      method: 'GET',
      pattern: '/containers/{id...}/json',
      isSmall: true,
      handle: (exchange) => inspect(exchange, engine),
    },
    { method: 'DELETE', pattern: '/containers/{id...}', handle: (exchange) => remove(exchange, engine) },
    { method: 'POST', pattern: '/containers/{id...}/wait', handle: (exchange) => wait(exchange, engine) },
    ...lifeRoutes(engine),
    ...refusedRoutes(engine),
    ...archiveRoutes(engine.containers),
    ...containerDataRoutes({ containers: engine.containers, now }),
    ...streamRoutes({ containers: engine.containers, now }),
  ]
}

/** What is answered with 204 and nothing else. */
function lifeRoutes({ containers }: Parts): readonly Route[] {
  const post = (action: string, act: (id: string, exchange: Exchange) => Promise<void>): Route => ({
    method: 'POST',
    pattern: `/containers/{id...}/${action}`,
    async handle(exchange) {
      await act(exchange.param('id'), exchange)
      exchange.reply(204)
    },
  })
  return [
    post('start', async (id, exchange) => {
      if (Number(exchange.header('content-length') ?? 0) > LONGEST_NO_BODY) {
        throw invalid(
          'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
        )
      }
      if (exchange.query.text('checkpoint')) throw unsupported('--checkpoint: not yet carried out by mica')
      await containers.start(id)
    }),
    post('stop', (id, exchange) => containers.stop(id, stopOptions(exchange))),
    post('restart', (id, exchange) => containers.restart(id, stopOptions(exchange))),
    post('kill', (id, { query }) => containers.kill(id, query.text('signal') ?? 'SIGKILL')),
    post('pause', (id) => containers.pause(id)),
    post('unpause', (id) => containers.unpause(id)),
    post('rename', (id, { query }) => containers.rename(id, query.text('name') ?? '')),
  ]
}

/** Clients that have no body to send may still send «null» or «{}» with a line end. */
const LONGEST_NO_BODY = 7

function stopOptions({ query }: Exchange): { readonly timeout?: number; readonly signal?: string } {
  const timeout = query.integer('t')
  const signal = query.text('signal')
  return { ...(timeout !== undefined && { timeout }), ...(signal !== undefined && { signal }) }
}

/** A container that is not there is said first. */
function refusedRoutes({ containers }: Parts): readonly Route[] {
  const refuse =
    (sentence: string): Handler =>
    async (exchange) => {
      await containers.get(exchange.param('id'))
      throw unsupported(sentence)
    }
  return [
    {
      method: 'GET',
      pattern: '/containers/{id...}/stats',
      handle: refuse('docker stats: not yet carried out by mica'),
    },
    {
      method: 'POST',
      pattern: '/containers/{id...}/update',
      handle: refuse('docker update: not yet carried out by mica'),
    },
    {
      method: 'GET',
      pattern: '/containers/{id...}/checkpoints',
      handle: refuse('docker checkpoint: not yet carried out by mica'),
    },
    {
      method: 'POST',
      pattern: '/containers/{id...}/checkpoints',
      handle: refuse('docker checkpoint: not yet carried out by mica'),
    },
  ]
}

async function list({ query, reply, version }: SmallExchange, engine: Parts, now: bigint): Promise<void> {
  const records = await selectContainers(engine.containers, engine.images, {
    all: query.flag('all'),
    limit: Math.max(0, query.integer('limit') ?? 0),
    filters: query.filters(),
  })
  const images = records.length > 0 ? await engine.images.list() : []
  const label = imageLabels(images)
  const withSize = query.flag('size')
  const links = linkNames(records.length > 0 ? await engine.containers.list() : [])
  const sizes = await Promise.all(
    records.map(async (record) => (withSize ? await sizeIfThere(record, engine) : undefined)),
  )
  const rows = records.flatMap((record, at) => {
    const size = sizes[at]
    if (size === GONE) return []
    return [
      containerSummary(record, {
        now,
        links: links.get(record.id) ?? [],
        image: label(record),
        size,
        minor: version.minor,
      }),
    ]
  })
  reply(200, rows)
}

const GONE = 'gone'

/** It may be removed while it is measured. */
async function sizeIfThere(record: ContainerRecord, engine: Parts): Promise<ContainerSize | typeof GONE> {
  try {
    return await sizeOf(record, engine)
  } catch (error) {
    const known = await engine.containers.get(record.id).catch(() => undefined)
    if (known === undefined || known.state === 'removing') return GONE
    throw error
  }
}

/** By container: the names that links of others give it. */
function linkNames(records: readonly ContainerRecord[]): ReadonlyMap<string, readonly string[]> {
  const names = records.flatMap(({ name, links = [] }) =>
    links.map(({ container, alias }) => ({ container, name: `/${name}/${alias}` })),
  )
  const groups = Map.groupBy(names, ({ container }) => container)
  return new Map([...groups].map(([container, group]) => [container, group.map(({ name }) => name)]))
}

/** The root is the image's layers and the writable one. */
async function sizeOf(record: ContainerRecord, { containers, images }: Parts): Promise<ContainerSize> {
  const writable = (await containers.usage(record.id)).size
  const image = (await images.list()).find((summary) => summary.record.id === record.image)
  return { writable, total: writable + (image?.size ?? 0) }
}

async function create(exchange: Exchange, { containers }: Parts): Promise<void> {
  const { query, version } = exchange
  const body = await exchange.json()
  const request = parseCreate(body, { name: query.text('name'), platform: query.text('platform'), version })
  const { id, warnings } = await containers.create(request)
  exchange.reply(201, {
    Id: id,
    Warnings: [...createWarnings(request, body, version), ...warnings],
  } satisfies CreatedJson)
}

async function inspect(exchange: SmallExchange, engine: Parts): Promise<void> {
  const { containers, system } = engine
  const record = await containers.get(exchange.param('id'))
  const size = exchange.query.flag('size') ? await sizeOf(record, engine) : undefined
  const { minor } = exchange.version
  const execs = containers.execIds(record.id)
  const say = (): JsonText =>
    new JsonText(containerJson(record, { runtime: system.runtime.name, cgroups: system.cgroups, execs, size, minor }))
  exchange.reply(200, size === undefined && execs.length === 0 ? saidBefore(record, minor, say) : say())
}

/** Clients ask again and again, and each change makes a new record. */
const said = new WeakMap<ContainerRecord, { readonly minor: number; readonly text: JsonText }>()

function saidBefore(record: ContainerRecord, minor: number, say: () => JsonText): JsonText {
  const before = said.get(record)
  if (before?.minor === minor) return before.text
  const text = say()
  said.set(record, { minor, text })
  return text
}

async function remove({ query, param, reply }: Exchange, { containers }: Parts): Promise<void> {
  if (query.flag('link')) await containers.unlink(param('id'))
  else await containers.remove(param('id'), { force: query.flag('force'), volumes: query.flag('v') })
  reply(204)
}

const CONDITIONS: readonly WaitCondition[] = ['not-running', 'next-exit', 'removed']

/** The head goes out as soon as the container is watched: clients start it only then. */
async function wait(exchange: Exchange, { containers }: Parts): Promise<void> {
  const wanted = exchange.query.text('condition') ?? 'not-running'
  const condition = CONDITIONS.find((known) => known === wanted)
  if (condition === undefined) throw invalid(`invalid condition: "${wanted}"`)
  const { id } = await containers.get(exchange.param('id'))
  const exit = containers.wait(id, condition, exchange.signal)
  const reply = exchange.stream('application/json')
  await sayExit(reply, exit)
}

async function sayExit(reply: ReplyStream, exit: ReturnType<Parts['containers']['wait']>): Promise<void> {
  const answer = await exit.then(
    ({ exitCode, error }): WaitJson => ({ StatusCode: exitCode, ...(error && { Error: { Message: error } }) }),
    (error: unknown): WaitJson => ({ StatusCode: UNKNOWN_EXIT, Error: { Message: messageOf(error) } }),
  )
  await reply.write(`${JSON.stringify(answer)}\n`)
  reply.end()
}

/** Docker's exit code for «it cannot be known». */
const UNKNOWN_EXIT = -1
