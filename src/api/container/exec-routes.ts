import { invalid, type Log, messageOf } from '#base'
import type { ContainerService, Engine, ExecProcess, ExecRecord, ExecRequest, StreamEnds } from '#engine'
import { encodeFrame, parseExecBody, parseExecStartBody, parseObjectBody } from '#wire'
import type { Exchange, RawStream, Route } from '#api/exchange'
import { execJson } from './container-view.ts'
import { parseDetachKeys } from './detach-keys.ts'
import { joinStreams } from './join-streams.ts'
import { sizeOf, streamType } from './stream-routes.ts'

/** Further processes in a running container. */
export function execRoutes({ containers }: Pick<Engine, 'containers'>, log: Log): readonly Route[] {
  return [
    {
      method: 'POST',
      pattern: '/containers/{id...}/exec',
      async handle(exchange) {
        const id = await containers.execCreate(exchange.param('id'), parseExec(await exchange.json()))
        exchange.reply(201, { Id: id })
      },
    },
    {
      method: 'POST',
      pattern: '/exec/{id}/start',
      hijacks: true,
      handle: (exchange) => start(exchange, containers, log),
    },
    {
      method: 'POST',
      pattern: '/exec/{id}/resize',
      async handle(exchange) {
        const { rows, columns } = sizeOf(exchange)
        await containers.execResize(exchange.param('id'), rows, columns)
        exchange.reply(200)
      },
    },
    {
      method: 'GET',
      pattern: '/exec/{id}/json',
      isSmall: true,
      handle: async (exchange) => exchange.reply(200, execJson(await containers.execGet(exchange.param('id')))),
    },
  ]
}

/** What an exec body may hold; Detach and ConsoleSize come again with its start. */
const EXEC_FIELDS = new Set(
  'User Privileged Tty AttachStdin AttachStdout AttachStderr DetachKeys Env WorkingDir Cmd Detach ConsoleSize'.split(
    ' ',
  ),
)

/** Exported for its test. */
export function parseExec(body: unknown): ExecRequest {
  if (body === undefined) throw invalid('invalid JSON: got EOF while reading request body')
  const unknown = Object.entries(parseObjectBody(body)).filter(([name, value]) => !EXEC_FIELDS.has(name) && asks(value))
  if (unknown.length > 0)
    throw invalid(`exec: not yet carried out by mica (${unknown.map(([name]) => name).join(', ')})`)
  const given = parseExecBody(body)
  if (!given.Cmd || given.Cmd.length === 0) throw invalid('No exec command specified')
  parseDetachKeys(given.DetachKeys ?? '', 'escape')
  return {
    command: given.Cmd,
    env: given.Env ?? [],
    ...(given.User && { user: given.User }),
    ...(given.WorkingDir && { workingDir: given.WorkingDir }),
    ...(given.DetachKeys && { detachKeys: given.DetachKeys }),
    privileged: given.Privileged === true,
    tty: given.Tty === true,
    stdin: given.AttachStdin === true,
    stdout: given.AttachStdout === true,
    stderr: given.AttachStderr === true,
  }
}

function asks(value: unknown): boolean {
  return value !== null && value !== '' && value !== false && value !== 0
}

async function start(exchange: Exchange, containers: ContainerService, log: Log): Promise<void> {
  const body = parseExecStartBody(await exchange.json())
  const record = await containers.execGet(exchange.param('id'))
  const size = body.ConsoleSize && { rows: body.ConsoleSize[0], columns: body.ConsoleSize[1] }
  const detach = body.Detach ?? false
  const begin = (): Promise<ExecProcess> =>
    containers.execStart(record.id, { detach, tty: record.request.tty, ...(size && { size }) })
  if (detach) {
    await begin()
    exchange.reply(200)
    return
  }
  const raw = body.Tty ?? false
  const client = exchange.hijack(streamType(exchange.version, raw))
  const process = await begin().catch((error: unknown) => sayFailure(client, raw, error))
  if (process) await follow(client, process, { record, raw, log })
}

/** The head has gone: what went wrong can only be said as output, as Docker does; clients ask for the exit code then. */
async function sayFailure(client: RawStream, raw: boolean, error: unknown): Promise<undefined> {
  const text = Buffer.from(`${messageOf(error)}\r\n`)
  await client.write(raw ? text : encodeFrame('stdout', text))
  client.end()
}

interface Following {
  readonly record: ExecRecord
  readonly raw: boolean
  readonly log: Log
}

/** The process goes on when its client leaves: then its output goes nowhere. */
async function follow(client: RawStream, process: ExecProcess, { record, raw, log }: Following): Promise<void> {
  const { streams, exited } = process
  const { request } = record
  if (!streams) {
    await exited
    client.end()
    return
  }
  const { drained } = await joinStreams(client, streams, {
    raw,
    stdin: request.stdin,
    stdout: request.stdout,
    stderr: request.stderr,
    closesInput: !request.tty,
    detachKeys: request.tty ? parseDetachKeys(request.detachKeys) : undefined,
    until: exited,
  })
  releaseAfter(drained, streams).catch((error: unknown) =>
    log.warn('exec streams', { exec: record.id, error: messageOf(error) }),
  )
}

async function releaseAfter(drained: Promise<void>, streams: StreamEnds): Promise<void> {
  try {
    await drained
  } finally {
    await streams[Symbol.asyncDispose]()
  }
}
