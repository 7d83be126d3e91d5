import { EngineError, type ErrorKind, messageOf } from '#base'

/** The one place where kinds of error meet HTTP statuses. */
const STATUSES: Readonly<Record<ErrorKind, number>> = {
  'not-found': 404,
  'already-exists': 409,
  conflict: 409,
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  'not-modified': 304,
  unavailable: 503,
  unsupported: 501,
  corrupt: 500,
  cancelled: 500,
  internal: 500,
}

/** What is not an `EngineError` is a fault of our own: 500. */
export function statusOf(error: unknown): number {
  return error instanceof EngineError ? STATUSES[error.kind] : 500
}

/** `{"message": …}`, as all clients read it. */
export function errorBody(error: unknown): { readonly message: string } {
  return { message: messageOf(error) }
}
