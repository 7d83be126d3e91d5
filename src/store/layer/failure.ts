import { getSystemErrorMessage } from 'node:util'
import { EngineError, type ErrorKind, errnoOf, messageOf } from '#base'

/** Errnos that a made-up or broken layer can bring about by itself. */
const INPUT_ERRORS = new Set([
  'E2BIG',
  'EEXIST',
  'EFBIG',
  'EINVAL',
  'EISDIR',
  'ELOOP',
  'EMLINK',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOTDIR',
  'ENOTEMPTY',
  'EOVERFLOW',
  'ERANGE',
])

/** The engine's own error for a system call that failed at work on a layer; what is one already is passed on. */
export function layerFailure(what: string, error: unknown): unknown {
  const errno = errnoOf(error)
  if (errno === undefined) return error
  if (error instanceof EngineError && error.kind !== 'internal') return error
  return new EngineError(kindOf(errno), `${what}: ${textOf(error, errno)}`, { cause: error })
}

function textOf(error: unknown, errno: string): string {
  const hasNumber = error instanceof Error && 'errno' in error && typeof error.errno === 'number'
  return hasNumber ? `${getSystemErrorMessage(Number(error.errno))} (${errno})` : messageOf(error)
}

function kindOf(errno: string): ErrorKind {
  if (INPUT_ERRORS.has(errno)) return 'invalid'
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return 'unavailable'
  if (errno === 'EPERM' || errno === 'EACCES') return 'forbidden'
  return 'internal'
}
