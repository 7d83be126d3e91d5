import { EngineError, type ErrorKind } from '#base'
import { SystemCallError } from '#kernel/call'

/** From the pool to a worker: a job to run. */
export interface JobMessage {
  readonly id: number
  readonly job: string
  readonly input: unknown
  /** One Int32: 1 once the job is to stop. */
  readonly cancel: SharedArrayBuffer
}

/** From the pool to a worker: nothing more is to come. */
export const END = 'end'

/** From a worker to the pool. */
export type JobReply =
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly error: ErrorImage }
  | { readonly id: number; readonly report: unknown }
  /** The first one, before any job: the kernel's number of the thread. */
  | { readonly id: 0; readonly tid: number }

/** An error as a structured clone carries it. */
export interface ErrorImage {
  readonly message: string
  readonly stack: string | undefined
  readonly kind?: ErrorKind
  readonly details?: Readonly<Record<string, unknown>>
  readonly call?: { readonly call: string; readonly errno: string; readonly path?: string }
  /** Own facts of node's system errors. */
  readonly code?: string
}

/** What a worker sends of an error. */
export function errorImage(error: unknown): ErrorImage {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined }
  const base = { message: error.message, stack: error.stack }
  if (error instanceof SystemCallError) {
    const { call, errno, path } = error
    return { ...base, kind: error.kind, call: { call, errno, ...(path === undefined ? {} : { path }) } }
  }
  if (error instanceof EngineError) {
    return { ...base, kind: error.kind, ...(error.details === undefined ? {} : { details: error.details }) }
  }
  return { ...base, ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}) }
}

/** The error again, on the side of the caller. */
export function errorFrom(image: ErrorImage): Error {
  const error = remade(image)
  if (image.stack !== undefined) error.stack = image.stack
  return error
}

function remade(image: ErrorImage): Error {
  if (image.call) {
    const error = new SystemCallError(image.call)
    error.message = image.message
    return error
  }
  if (image.kind) return new EngineError(image.kind, image.message, image.details ? { details: image.details } : {})
  const error = new Error(image.message)
  return image.code === undefined ? error : Object.assign(error, { code: image.code })
}
