/** What went wrong, as a closed set: `api/exchange/status.ts` maps kinds to HTTP statuses, `cli/exit.ts` to exit codes. */
export type ErrorKind =
  | 'not-found'
  | 'already-exists'
  | 'conflict'
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'not-modified'
  | 'unavailable'
  | 'unsupported'
  | 'corrupt'
  | 'cancelled'
  | 'internal'

export interface ErrorFacts {
  readonly cause?: unknown
  readonly details?: Readonly<Record<string, unknown>>
}

/**
 * The project's one error class. The message says what could not be done, to which thing, and why:
 * lower case, no full stop, secrets already redacted. Subclasses only add facts.
 */
export class EngineError extends Error {
  readonly kind: ErrorKind
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(kind: ErrorKind, message: string, options: ErrorFacts = {}) {
    super(redact(message), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'EngineError'
    this.kind = kind
    this.details = options.details
  }
}

/** «no such image: x», in the words that Docker's clients match. */
export function notFound(noun: string, name: string): EngineError {
  return new EngineError('not-found', `No such ${noun}: ${name}`, { details: { noun, name } })
}

export function invalid(message: string, options?: ErrorFacts): EngineError {
  return new EngineError('invalid', message, options)
}

export function conflict(message: string, options?: ErrorFacts): EngineError {
  return new EngineError('conflict', message, options)
}

export function unsupported(message: string, options?: ErrorFacts): EngineError {
  return new EngineError('unsupported', message, options)
}

export function forbidden(message: string, options?: ErrorFacts): EngineError {
  return new EngineError('forbidden', message, options)
}

export function corrupt(message: string, options?: ErrorFacts): EngineError {
  return new EngineError('corrupt', message, options)
}

export function unavailable(message: string, options?: ErrorFacts): EngineError {
  return new EngineError('unavailable', message, options)
}

export function internal(message: string, options?: ErrorFacts): EngineError {
  return new EngineError('internal', message, options)
}

export function cancelled(what: string, cause?: unknown): EngineError {
  return new EngineError('cancelled', `${what}: cancelled`, { cause })
}

/** True where `error` is an EngineError of that kind: the only way kinds are asked for. */
export function isKind(error: unknown, kind: ErrorKind): error is EngineError {
  return error instanceof EngineError && error.kind === kind
}

/**
 * The text of anything thrown, without a stack; a path is told without the descriptor that it was opened by, what a system call
 * said as Go tells it: «mkdir /x: not a directory».
 */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? (callText(error) ?? error.message) : String(error)
  return message.replaceAll(/\/proc\/self\/fd\/\d+\//g, '')
}

/** Of an error of Node's about a path. */
function callText(error: NodeJS.ErrnoException): string | undefined {
  const { code, syscall, path } = error
  if (code === undefined || syscall === undefined || path === undefined) return undefined
  const [, words] = /^[A-Z0-9]+: (.+?), /.exec(error.message) ?? []
  const reason = REASONS.get(code) ?? words
  return reason === undefined ? undefined : `${syscall} ${path}: ${reason}`
}

/** Where Node has words of its own for what the C library says. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['EBUSY', 'device or resource busy'],
  ['EEXIST', 'file exists'],
  ['EISDIR', 'is a directory'],
  ['ELOOP', 'too many levels of symbolic links'],
  ['ENAMETOOLONG', 'file name too long'],
  ['ENOTEMPTY', 'directory not empty'],
  ['EXDEV', 'invalid cross-device link'],
])

/** Node's errno code («ENOENT») of a thrown system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Rejects with kind `cancelled` as soon as the signal is aborted. */
export function throwIfCancelled(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw cancelled(what, signal.reason)
}

// The look-behind keeps a long word from being tried at each of its letters.
const URL_CREDENTIALS = /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]*:\/\/)[^/\s@]+@/gi
const AUTH_HEADER = /\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi

/** Takes credentials of URLs and authorization headers out of a text. */
export function redact(text: string): string {
  return text.replace(URL_CREDENTIALS, '$1***@').replace(AUTH_HEADER, '$1 ***')
}
