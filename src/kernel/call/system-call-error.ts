import { constants } from 'node:os'
import { getSystemErrorMessage, getSystemErrorName } from 'node:util'
import { EngineError, type ErrorKind } from '#base'
import { ffi, type Native } from './ffi.ts'

/** A system call that failed: which call, why («ENOENT»), and on which path. `code` is the errno, as node's own errors have it. */
export class SystemCallError extends EngineError {
  readonly call: string
  readonly errno: string
  readonly code: string
  readonly path: string | undefined

  constructor(failure: {
    readonly call: string
    readonly errno: string
    readonly path?: string
    readonly text?: string
  }) {
    const where = failure.path === undefined ? '' : ` ${failure.path}`
    super(kindOf(failure.errno), `${failure.call}${where}: ${failure.text ?? textOf(failure.errno)}`, {
      details: {
        call: failure.call,
        errno: failure.errno,
        ...(failure.path === undefined ? {} : { path: failure.path }),
      },
    })
    this.name = 'SystemCallError'
    this.call = failure.call
    this.errno = failure.errno
    this.code = failure.errno
    this.path = failure.path
  }
}

/** What a call was about, for its error. */
export interface CallFacts {
  readonly call: string
  readonly path?: string | Uint8Array
  /** More than errno says, as fsconfig's own text. */
  readonly text?: () => string | undefined
}

/** The error for the errno number that a call left. */
export function systemCallError(facts: CallFacts, number: number): SystemCallError {
  const errno = getSystemErrorName(-number)
  const detail = facts.text?.()
  return new SystemCallError({
    call: facts.call,
    errno,
    ...(facts.path === undefined ? {} : { path: pathText(facts.path) }),
    ...(detail === undefined || detail === '' ? {} : { text: `${textOf(errno)}: ${detail}` }),
  })
}

/** The result of a call, or its error where it gave -1. To be called in the same expression as the call: errno is volatile. */
export function checked(result: number, facts: CallFacts): number {
  if (result < 0) throw systemCallError(facts, ffi().errno())
  return result
}

/** Runs a call on a thread of the pool; its error is thrown as that of a synchronous one. */
export function checkedAsync<Args extends readonly unknown[]>(
  native: Native<Args>,
  args: Args,
  facts: CallFacts,
): Promise<number> {
  return new Promise((resolve, reject) => {
    native.async(...args, (error, result) => {
      const number = ffi().errno()
      if (error) reject(error)
      else if (result < 0) reject(systemCallError(facts, number))
      else resolve(result)
    })
  })
}

/** The errno names for which a failure is an answer. */
export function isErrno(error: unknown, ...names: readonly string[]): error is SystemCallError {
  return error instanceof SystemCallError && names.includes(error.errno)
}

function pathText(path: string | Uint8Array): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString()
}

function textOf(errno: string): string {
  const number = Object.entries(constants.errno).find(([name]) => name === errno)?.[1]
  return number === undefined ? errno : `${getSystemErrorMessage(-number)} (${errno})`
}

function kindOf(errno: string): ErrorKind {
  if (errno === 'ENOSYS' || errno === 'EOPNOTSUPP' || errno === 'ENOTSUP') return 'unsupported'
  if (errno === 'EPERM' || errno === 'EACCES') return 'forbidden'
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return 'unavailable'
  return 'internal'
}
