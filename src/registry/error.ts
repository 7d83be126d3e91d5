import { collect, EngineError, type Bytes, type ErrorKind } from '#base'
import * as v from 'valibot'

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
  reply: { readonly status: number; readonly body: Bytes },
): Promise<RegistryError> {
  const faults = await readFaults(reply.body)
  const { status } = reply
  const text = faults.length > 0 ? faults.map(faultText).join(', ') : `unexpected status ${status}`
  return new RegistryError(kindOf(status, faults), faults.length > 0 ? text : `${what}: ${text}`, {
    status,
    codes: faults.map(({ code }) => code),
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
