import { EngineError, type ErrorKind } from '#base'

/** The codes of distribution-spec, «Error Codes», and the two that its errata add. */
export type FaultCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'

const STATUSES: Readonly<Record<FaultCode, number>> = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
}

export interface FaultFacts {
  /** Where the code's own does not fit. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly detail?: unknown
  readonly cause?: unknown
}

/** A refusal in the words of the distribution protocol. */
export class HubFault extends EngineError {
  readonly code: FaultCode
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(code: FaultCode, message: string, facts: FaultFacts = {}) {
    super(kindOf(code), message, {
      cause: facts.cause,
      ...(facts.detail !== undefined && { details: { detail: facts.detail } }),
    })
    this.name = 'HubFault'
    this.code = code
    this.status = facts.status ?? STATUSES[code]
    this.headers = facts.headers ?? {}
  }
}

function kindOf(code: FaultCode): ErrorKind {
  if (code === 'UNAUTHORIZED') return 'unauthorized'
  if (code === 'DENIED') return 'forbidden'
  if (code === 'UNSUPPORTED') return 'unsupported'
  return code.endsWith('_UNKNOWN') ? 'not-found' : 'invalid'
}
