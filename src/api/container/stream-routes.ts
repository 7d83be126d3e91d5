import { collect, invalid } from '#base'
import type { ContainerRecord, ContainerService, LogLine } from '#engine'
import { type ApiVersion, compareVersions, encodeFrame, MULTIPLEXED_STREAM, parseTimestamp, RAW_STREAM } from '#wire'
import { type Exchange, logTimeText, type Route } from '#api/exchange'
import { createBatch } from './batch.ts'
import { parseDetachKeys } from './detach-keys.ts'
import { joinStreams } from './join-streams.ts'

export interface StreamRouteParts {
  readonly containers: Pick<ContainerService, 'get' | 'attach' | 'logs' | 'resize'>
  /** Nanoseconds since the epoch. */
  readonly now: () => bigint
}

/** A container's output and input: logs, attach, and the size of its terminal. */
export function streamRoutes({ containers, now }: StreamRouteParts): readonly Route[] {
  return [
    { method: 'GET', pattern: '/containers/{id...}/logs', handle: (exchange) => logs(exchange, containers, now()) },
    {
      method: 'POST',
      pattern: '/containers/{id...}/attach',
      hijacks: true,
      handle: (exchange) => attach(exchange, containers),
    },
    {
      method: 'GET',
      pattern: '/containers/{id...}/attach/ws',
      hijacks: true,
      handle: (exchange) => attachWebSocket(exchange, containers),
    },
    {
      method: 'POST',
      pattern: '/containers/{id...}/resize',
      async handle(exchange) {
        const { rows, columns } = sizeOf(exchange)
        await containers.resize(exchange.param('id'), rows, columns)
        exchange.reply(200)
      },
    },
  ]
}

/** The `h` and `w` of a resize. */
export function sizeOf({ query }: Exchange): { readonly rows: number; readonly columns: number } {
  return { rows: cells(query.text('h'), 'height'), columns: cells(query.text('w'), 'width') }
}

function cells(text: string | undefined, side: string): number {
  const cells = Number(text)
  const why = /^[-+]?\d+$/.test(text ?? '')
    ? cells < 0 || cells >= 2 ** 32
      ? 'value out of range'
      : ''
    : 'invalid syntax'
  if (why !== '') throw invalid(`invalid resize ${side} "${text ?? ''}": ${why}`)
  return cells
}

/** From 1.42 on the type says whether the bytes come in frames. */
export function streamType(version: ApiVersion, raw: boolean): string {
  return raw || compareVersions(version, FRAMES_NAMED) < 0 ? RAW_STREAM : MULTIPLEXED_STREAM
}

const FRAMES_NAMED: ApiVersion = { major: 1, minor: 42 }

async function attach(exchange: Exchange, containers: StreamRouteParts['containers']): Promise<void> {
  const { query } = exchange
  const record = await containers.get(exchange.param('id'))
  const { tty, openStdin, stdinOnce } = record.request
  const keys = parseDetachKeys(query.text('detachKeys'))
  const stream = query.flag('stream')
  const logsFirst = query.flag('logs')
  if (!stream && !logsFirst) throw invalid('Bad parameters: you must choose at least one stream')
  await using ends = await containers.attach(record.id, { logs: logsFirst, stream, signal: exchange.signal })
  await leaveBody(exchange)
  const client = exchange.hijack(streamType(exchange.version, tty))
  await joinStreams(client, ends, {
    raw: tty,
    stdin: stream && openStdin && query.flag('stdin'),
    stdout: query.flag('stdout'),
    stderr: query.flag('stderr'),
    closesInput: stdinOnce && !tty,
    detachKeys: tty ? keys : undefined,
  })
}

/** dockerode sends its options as a body; it is none of the input that comes behind it. */
async function leaveBody({ body, header }: Exchange): Promise<void> {
  if (Number(header('content-length') ?? 0) > 0) await collect(body, MAX_IGNORED)
}

const MAX_IGNORED = 64 * 1024

/** Bytes of both streams as they are. Clients before 1.42 cannot choose, and get all of them. */
async function attachWebSocket(exchange: Exchange, containers: StreamRouteParts['containers']): Promise<void> {
  const { query, version } = exchange
  const record = await containers.get(exchange.param('id'))
  const { tty, openStdin, stdinOnce } = record.request
  const keys = parseDetachKeys(query.text('detachKeys'))
  const chooses = compareVersions(version, FRAMES_NAMED) >= 0
  const wants = (name: string): boolean => !chooses || query.flag(name)
  const stream = query.flag('stream')
  await using ends = await containers.attach(record.id, { logs: query.flag('logs'), stream, signal: exchange.signal })
  const client = exchange.webSocket(compareVersions(version, BINARY_FRAMES) >= 0 ? 'binary' : 'text')
  if (!client) return exchange.reply(400, 'not websocket protocol')
  await joinStreams(client, ends, {
    raw: true,
    stdin: stream && openStdin && wants('stdin'),
    stdout: wants('stdout'),
    stderr: wants('stderr'),
    closesInput: stdinOnce && !tty,
    detachKeys: tty ? keys : undefined,
  })
}

const BINARY_FRAMES: ApiVersion = { major: 1, minor: 28 }

async function logs(exchange: Exchange, containers: StreamRouteParts['containers'], now: bigint): Promise<void> {
  const { query } = exchange
  const [stdout, stderr] = [query.flag('stdout'), query.flag('stderr')]
  if (!stdout && !stderr) throw invalid('Bad parameters: you must choose at least one stream')
  const record = await containers.get(exchange.param('id'))
  const tail = tailOf(query.text('tail'))
  const since = timeOf(query.text('since'), now)
  const until = timeOf(query.text('until'), now)
  const lines = await containers.logs(record.id, {
    follow: query.flag('follow'),
    stdout,
    stderr,
    signal: exchange.signal,
    ...(tail !== undefined && { tail }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  })
  const reply = exchange.stream(streamType(exchange.version, record.request.tty))
  const format = lineFormat(record, { timestamps: query.flag('timestamps'), details: query.flag('details') })
  const batch = createBatch(reply)
  for await (const line of lines) await batch.add(format(line))
  await batch.flush()
  reply.end()
}

interface LineOptions {
  readonly timestamps: boolean
  /** Attributes of the log driver come first; there are none, but the blank behind them. */
  readonly details: boolean
}

/** What comes before a line comes once, also where the line is in pieces. */
function lineFormat({ request }: ContainerRecord, { timestamps, details }: LineOptions): (line: LogLine) => Uint8Array {
  const within = new Set<LogLine['stream']>()
  return ({ stream, bytes, time, ended }) => {
    const prefix = within.has(stream) ? '' : `${timestamps ? `${logTimeText(time)} ` : ''}${details ? ' ' : ''}`
    if (ended) within.delete(stream)
    else within.add(stream)
    const text = prefix === '' ? bytes : Buffer.concat([Buffer.from(prefix), bytes])
    return request.tty ? text : encodeFrame(stream, text)
  }
}

/** What is not a number of lines asks for all of them, as in Docker. */
function tailOf(text: string | undefined): number | undefined {
  const lines = text !== undefined && /^[-+]?\d{1,15}$/.test(text) ? Number(text) : -1
  return lines < 0 ? undefined : Math.abs(lines)
}

/** 0 and absent are no bound. */
function timeOf(text: string | undefined, now: bigint): bigint | undefined {
  if (text === undefined) return undefined
  const time = parseTimestamp(text, now)
  return time === 0n ? undefined : time
}
