import { EngineError, invalid, isKind } from '#base'
import { CommandLineError, connectStreams, type Context, parseKeys, userSetting } from '#cli/kit'
import type { Attachment } from '#cli/request'
import type { WaitJson } from '#wire'
import { decodeLines } from '#wire'

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

/** All that can be heard of, but those of this process's own children and pipes and of its faults. */
const PROXIED = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTRAP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGTERM',
  'SIGCONT',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGVTALRM',
  'SIGWINCH',
  'SIGIO',
  'SIGPWR',
  'SIGSYS',
] as const

/** How attach and exec end where the user detached. */
export function cancelledByKeys(): EngineError {
  return invalid('read escape sequence')
}

export function requireTerminal({ io }: Context): void {
  if (!io.stdin.terminal) throw invalid('the input device is not a TTY')
}

/** Attaches first, so that nothing is lost, starts, and joins the streams until the process ends or the user detaches. */
export async function foreground(context: Context, options: ForegroundOptions): Promise<number | 'detached'> {
  const { client, io } = context
  const { id, attachment, tty } = options
  const path = `/containers/${id}`
  const detachKeys = options.detachKeys ?? userSetting(context, 'detachKeys')
  using stream = await client.hijack(`${path}/attach`, {
    query: { stream: true, ...attachment, detachKeys },
  })
  const exit = await beginWait(context, path, options)
  using released = new DisposableStack()
  const forced = Promise.withResolvers<never>()
  if (options.signals) released.use(io.onSignals(PROXIED, proxy(context, path, forced.reject)))
  const raw = tty && io.stdin.terminal
  if (raw && attachment.stdin) released.use(io.stdin.raw())
  const joined = connectStreams(stream, {
    io,
    input: attachment.stdin,
    detachKeys: tty ? parseKeys(detachKeys) : undefined,
  })
  // Its failure is looked at below: the start's own failure is the better message.
  joined.catch(() => undefined)
  const attended = async (): Promise<number | 'detached'> => {
    if (!options.running) await startIt(client, path)
    if (tty && io.stdout.terminal) released.use(followSize(context, path))
    return (await joined) === 'detached' ? 'detached' : await exit()
  }
  return await Promise.race([attended(), forced.promise])
}

/** One that runs already is joined. */
async function startIt(client: Context['client'], path: string): Promise<void> {
  try {
    await client.post(`${path}/start`)
  } catch (error) {
    if (!isKind(error, 'not-modified')) throw error
  }
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

/** Signals that mean an end, after which docker's client leaves a process to itself that takes none of them. */
const PATIENCE = 3

/** Hands signals on to the process; whoever asks for the end so often wants this one's. */
function proxy({ client }: Context, path: string, end: (reason: Error) => void): (name: NodeJS.Signals) => void {
  let asked = 0
  return (signal) => {
    // The process may have ended meanwhile.
    client.post(`${path}/kill`, { query: { signal } }).catch(() => undefined)
    if (signal === 'SIGINT' || signal === 'SIGTERM') asked += 1
    if (asked === PATIENCE)
      end(new CommandLineError(`\ngot ${PATIENCE} SIGTERM/SIGINTs, forcefully exiting`, { exit: 1 }))
  }
}

/** So large is this terminal, for the process to find it so from its first moment. */
export function consoleSize({ io }: Context, tty: boolean): { readonly ConsoleSize?: readonly [number, number] } {
  if (!tty || !io.stdout.terminal) return {}
  const { rows, columns } = io.stdout.size()
  return { ConsoleSize: [rows, columns] }
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
