/** What a text is when it is read as an exec form. */
export type JsonForm =
  | { readonly kind: 'strings'; readonly args: readonly string[] }
  /** A JSON array that holds something else than strings. */
  | { readonly kind: 'mixed' }
  | { readonly kind: 'none' }

/** A JSON array of strings (Dockerfile reference, «Exec form»); anything else is a line for the shell. */
export function parseJsonForm(text: string): JsonForm {
  if (!text.trimStart().startsWith('[')) return { kind: 'none' }
  const value = parseJson(text)
  if (!Array.isArray(value)) return { kind: 'none' }
  const args = value.filter((each) => typeof each === 'string')
  return args.length === value.length ? { kind: 'strings', args } : { kind: 'mixed' }
}

/** Undefined where it is no JSON, or nested beyond what the parser takes. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined
    throw error
  }
}
