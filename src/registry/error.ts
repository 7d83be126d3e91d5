import { collect, EngineError, type Bytes, type ErrorKind } from '#base'
import * as v from 'valibot'
import { parseChallenges } from './challenge.ts'

/** One entry of a registry's error body (distribution-spec, «Error Codes»). */
export interface RegistryFault {
  /** `MANIFEST_UNKNOWN`, `DENIED` … */
  readonly code: string
  readonly message: string
}

/** A registry that said no, or could not be reached (status 0). */
export class RegistryError extends EngineError {
  readonly status: number
  readonly codes: readonly string[]

  constructor(
    kind: ErrorKind,
    message: string,
    facts: { readonly status: number; readonly codes?: readonly string[]; readonly cause?: unknown },
  ) {
    super(kind, message, { ...(facts.cause !== undefined && { cause: facts.cause }) })
    this.name = 'RegistryError'
    this.status = facts.status
    this.codes = facts.codes ?? []
  }
}

/** Error bodies are short; the rest of a longer one is not read. */
const MAX_BODY = 64 << 10

const body = v.object({
  errors: v.array(v.object({ code: v.optional(v.string(), 'UNKNOWN'), message: v.optional(v.string(), '') })),
})

/** What the reply complains of: its error body, else its status. `what` is «Get "https://…"». */
export async function replyError(
  what: string,
  reply: { readonly status: number; readonly body: Bytes; header?(name: string): string | undefined },
): Promise<RegistryError> {
  const { status } = reply
  const told = faultOfChallenge(reply.header?.('www-authenticate') ?? '')
  const said = await readFaults(reply.body)
  const faults = told && status < 500 ? [told] : said
  const text = faults.length > 0 ? faults.map(faultText).join(', ') : `unexpected status ${status}`
  return new RegistryError(kindOf(status, faults), faults.length > 0 ? text : `${what}: ${text}`, {
    status,
    codes: faults.map(({ code }) => code),
  })
}

const CHALLENGE_FAULTS: ReadonlyMap<string, RegistryFault> = new Map([
  ['invalid_token', { code: 'UNAUTHORIZED', message: 'authentication required' }],
  ['insufficient_scope', { code: 'DENIED', message: 'requested access to the resource is denied' }],
])

/** What a token lacks (RFC 6750, section 3.1) is told by the challenge, before the body and where there is none. */
function faultOfChallenge(header: string): RegistryFault | undefined {
  const parameters = parseChallenges(header).find(({ scheme }) => scheme === 'bearer')?.parameters
  const fault = CHALLENGE_FAULTS.get(parameters?.get('error') ?? '')
  return fault && { code: fault.code, message: parameters?.get('error_description') ?? fault.message }
}

/** A refusal of credentials without the request that met it, as Docker tells it of a push. */
export function withoutRequest(error: unknown): unknown {
  if (!(error instanceof RegistryError) || error.kind !== 'unauthorized') return error
  const { message, status, codes } = error
  return new RegistryError('unauthorized', message.replace(/^[A-Z][a-z]+ "[^"]*": /, ''), {
    status,
    codes,
    cause: error,
  })
}

/** «manifest unknown: manifest unknown», the form in which Docker prints a code and its message. */
export function faultText({ code, message }: RegistryFault): string {
  const words = code.toLowerCase().replaceAll('_', ' ')
  const said = printable(message)
  return said === '' ? words : `${words}: ${said}`
}

/** One line without control characters, not longer than an error should be. */
function printable(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .slice(0, 1000)
    .trim()
}

async function readFaults(bytes: Bytes): Promise<readonly RegistryFault[]> {
  try {
    const found = v.safeParse(body, JSON.parse((await collect(bytes, MAX_BODY)).toString('utf8')))
    return found.success ? found.output.errors : []
  } catch {
    // Whatever the body is, the status has been said.
    return []
  }
}

function kindOf(status: number, faults: readonly RegistryFault[]): ErrorKind {
  const codes = new Set(faults.map(({ code }) => code))
  if (codes.has('TOOMANYREQUESTS') || status === 429) return 'unavailable'
  if (codes.has('DENIED') || status === 403) return 'forbidden'
  if (status === 401) return 'unauthorized'
  if (status === 404) return 'not-found'
  if (status === 405 || status === 501) return 'unsupported'
  if (status === 408 || status >= 500) return 'unavailable'
  return status >= 400 ? 'invalid' : 'unavailable'
}
