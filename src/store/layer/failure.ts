import { constants } from 'node:os'
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

/** An error that says what could not be done, for a system call that failed at work on a layer; others are passed on. */
export function layerFailure(what: string, error: unknown): unknown {
  const errno = errnoOf(error)
  if (errno === undefined) return error
  return new EngineError(kindOf(errno), `${what}: ${textOf(error, errno)}`, { cause: error })
}

/** Without the path: it names a descriptor, and says nothing to anybody. */
function textOf(error: unknown, errno: string): string {
  const found = Object.entries(constants.errno).find(([name]) => name === errno)
  return found ? `${getSystemErrorMessage(-found[1])} (${errno})` : messageOf(error)
}

function kindOf(errno: string): ErrorKind {
  if (INPUT_ERRORS.has(errno)) return 'invalid'
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return 'unavailable'
  if (errno === 'ENOTSUP' || errno === 'ENOSYS') return 'unsupported'
  if (errno === 'EPERM' || errno === 'EACCES') return 'forbidden'
  return 'internal'
}
