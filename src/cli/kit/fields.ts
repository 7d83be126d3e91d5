import { CommandLineError } from './error.ts'

/** Fields of one line of comma-separated values, as Go reads them: `a,"b,c",d`. Undefined where a quote is out of place. */
export function splitFields(text: string): readonly string[] | undefined {
  const fields: string[] = []
  let rest = text
  for (;;) {
    const [whole, quoted, plain] = /^(?:"((?:[^"]|"")*)"|([^",]*))(?=,|$)/.exec(rest) ?? []
    if (whole === undefined) return undefined
    fields.push(quoted?.replaceAll('""', '"') ?? plain ?? '')
    if (whole.length === rest.length) return fields
    rest = rest.slice(whole.length + 1)
  }
}

/** «key=value» of each text; a text without `=` is a key without a value. */
export function pairsOf(texts: readonly string[], separator = '='): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf(separator)
      return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

/** Docker's words for a flag whose value is wrong; ends with 125. */
export function badArgument(value: string, name: string, why: string): CommandLineError {
  return new CommandLineError(`invalid argument ${JSON.stringify(value)} for "${name}" flag: ${why}`, { exit: 125 })
}
