import { EngineError, invalid } from '#base'
import { connectStreams, type Context, parseKeys } from '#cli/kit'
import type { WaitJson } from '#wire'
import { decodeLines } from '#wire'
import type { Attachment } from './options.ts'

interface ForegroundOptions {
  readonly id: string
  readonly attachment: Attachment
  readonly tty: boolean
  /** The container goes when it ends. */
  readonly remove: boolean
  /** Signals to this process go to the container's instead. */
  readonly signals: boolean
  readonly detachKeys: string | undefined
  /** Undefined: it is started here; else it runs already. */
  readonly running?: boolean
}

const PROXIED = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const

export function requireTerminal({ io }: Context): void {
  if (!io.stdin.terminal) throw invalid('the input device is not a TTY')
}

/** Attaches first, so that nothing is lost, starts, and joins the streams until the process ends or the user detaches. */
export async function foreground(context: Context, options: ForegroundOptions): Promise<number> {
  const { client, io } = context
  const { id, attachment, tty } = options
  const path = `/containers/${id}`
  using stream = await client.hijack(`${path}/attach`, {
    query: { stream: true, ...attachment, detachKeys: options.detachKeys },
  })
  const exit = await beginWait(context, path, options)
  using released = new DisposableStack()
  if (options.signals) released.use(io.onSignals(PROXIED, (name) => forward(context, path, name)))
  const raw = tty && io.stdin.terminal
  if (raw && attachment.stdin) released.use(io.stdin.raw())
  const joined = connectStreams(stream, {
    io,
    input: attachment.stdin,
    detachKeys: tty ? parseKeys(options.detachKeys) : undefined,
  })
  // Its failure is looked at below: the start's own failure is the better message.
  joined.catch(() => undefined)
  if (!options.running) await client.post(`${path}/start`)
  if (tty && io.stdout.terminal) released.use(followSize(context, path))
  if ((await joined) === 'detached') return 0
  return await exit()
}

/** Asks for the exit before the start or the attach, so that no end goes unseen. */
async function beginWait(
  { client }: Context,
  path: string,
  { running, remove }: Pick<ForegroundOptions, 'running' | 'remove'>,
): Promise<() => Promise<number>> {
  const condition = running ? 'not-running' : remove ? 'removed' : 'next-exit'
  const { bytes } = await client.stream('POST', `${path}/wait`, { query: { condition } })
  return async () => {
    for await (const value of decodeLines(bytes)) return statusOf(value)
    throw new EngineError('unavailable', 'the daemon closed the connection before the container ended')
  }
}

function statusOf(value: unknown): number {
  const { StatusCode, Error: failure } = believed<WaitJson>(value)
  if (failure?.Message) throw new EngineError('internal', failure.Message, { details: { status: 500 } })
  return StatusCode
}

/** What the daemon answers has the shape of its version. */
function believed<T>(value: unknown): T {
  return value as T
}

function forward({ client }: Context, path: string, signal: string): void {
  // The process may have ended meanwhile.
  client.post(`${path}/kill`, { query: { signal } }).catch(() => undefined)
}

/** The container's terminal is as large as this one, now and after each change. `path` may be an exec's. */
export function followSize({ client, io }: Context, path: string): Disposable {
  const tell = (): void => {
    const { rows, columns } = io.stdout.size()
    client.post(`${path}/resize`, { query: { h: rows, w: columns } }).catch(() => undefined)
  }
  tell()
  return io.stdout.onResize(tell)
}
