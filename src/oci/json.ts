import { getDotPath, safeParse, type BaseIssue, type GenericSchema } from 'valibot'
import { invalid, messageOf } from '#base'

/** Deeper documents are refused: nothing real comes near, and recursive readers would overflow. */
const MAX_DEPTH = 100

/** Bytes to a checked value; every failure is `invalid` and names what was read. */
export function parseJson<T>(bytes: Uint8Array, schema: GenericSchema<unknown, T>, what: string): T {
  const result = safeParse(schema, decode(bytes, what))
  if (result.success) return result.output
  throw invalid(`cannot read ${what}: ${describe(result.issues[0])}`)
}

function decode(bytes: Uint8Array, what: string): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw invalid(`cannot read ${what}: not UTF-8`, { cause: error })
  }
  if (depthOf(text) > MAX_DEPTH) throw invalid(`cannot read ${what}: nested deeper than ${MAX_DEPTH}`)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalid(`cannot read ${what}: ${messageOf(error)}`, { cause: error })
  }
}

function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{\]}]/g)) {
    if (token === '[' || token === '{') deepest = Math.max(deepest, ++depth)
    else if (token === ']' || token === '}') depth--
  }
  return deepest
}

function describe(issue: BaseIssue<unknown>): string {
  const path = getDotPath(issue)
  return `${path === null ? '' : `${path}: `}${issue.message}`
}
