/** One more than the distance up to which a name counts as meant. */
const LIMIT = 3

/** The known name that is closest to a mistyped one, or undefined where none is near. */
export function closest(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase()
  let best: string | undefined
  let least = LIMIT
  for (const candidate of known) {
    const away = distance(wanted, candidate.toLowerCase())
    if (away >= least || away === 0) continue
    least = away
    best = candidate
  }
  return best
}

/** « (did you mean x?)», or nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const meant = closest(name, known)
  return meant === undefined ? '' : ` (did you mean ${meant}?)`
}

/** Edits (insert, remove, replace) from one word to the other; `LIMIT` where it is plain from the lengths. */
function distance(left: string, right: string): number {
  if (Math.abs(left.length - right.length) >= LIMIT) return LIMIT
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= right.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
