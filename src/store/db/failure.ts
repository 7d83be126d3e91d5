import { conflict, corrupt, EngineError, internal, messageOf, unavailable } from '#base'

const BUSY = 5
const READ_ONLY = 8
const IO_ERROR = 10
const CORRUPT = 11
const FULL = 13
const CANNOT_OPEN = 14
const CONSTRAINT = 19
const NOT_A_DATABASE = 26

/** SQLite's error in the project's words; what is not SQLite's comes back as it is. */
export function databaseFailure(error: unknown, what: string): unknown {
  const code = sqliteCode(error)
  if (error instanceof EngineError || code === undefined) return error
  const facts = { cause: error, details: { sqlite: code } }
  const text = `${what}: ${messageOf(error)}`
  // The low byte is the primary code (sqlite.org/rescode.html, «Primary Result Codes versus Extended Result Codes»).
  switch (code & 0xff) {
    case CORRUPT:
    case NOT_A_DATABASE:
      return corrupt(`${text}; restore the file from a copy, or remove the data root to begin anew`, facts)
    case FULL:
    case BUSY:
    case IO_ERROR:
    case READ_ONLY:
    case CANNOT_OPEN:
      return unavailable(text, facts)
    case CONSTRAINT:
      return conflict(text, facts)
    default:
      return internal(text, facts)
  }
}

function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode : undefined
}
