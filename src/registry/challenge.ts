/** One `WWW-Authenticate` challenge (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const QUOTED = /"((?:[^"\\]|\\.)*)"/y
const SPACE = /[ \t,]*/y
const EQUALS = /[ \t]*=[ \t]*/y

/** The challenges of a header's value, in order; what cannot be read ends the list. */
export function parseChallenges(text: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found) at = pattern.lastIndex
    return found ?? undefined
  }
  for (;;) {
    take(SPACE)
    const word = take(TOKEN)?.[0].toLowerCase()
    if (word === undefined) return challenges
    const current = challenges.at(-1)
    if (current === undefined || !take(EQUALS)) {
      challenges.push({ scheme: word, parameters: new Map() })
      continue
    }
    const quoted = take(QUOTED)?.[1]?.replace(/\\(.)/g, '$1')
    const value = quoted ?? take(TOKEN)?.[0]
    if (value === undefined) return challenges
    current.parameters.set(word, value)
  }
}
