const DASHES: ReadonlyMap<string, string> = new Map([
  ['\u2010', 'a typographic hyphen'],
  ['\u2011', 'a non-breaking hyphen'],
  ['\u2012', 'a figure dash'],
  ['\u2013', 'an en dash'],
  ['\u2014', 'an em dash'],
  ['\u2015', 'a horizontal bar'],
  ['\u2212', 'a minus sign'],
  ['\ufe63', 'a small hyphen'],
  ['\uff0d', 'a fullwidth hyphen'],
])

/** An en or em dash whose UTF-8 bytes were read as Windows-1252: a page that was decoded wrongly. */
const MANGLED = /^â€["“”–—\u0093\u0094]/u

/** The typographic dash that a word begins with, and what was meant: word processors make one of `--`. */
export function findDash(
  word: string,
): { readonly name: string; readonly code: string; readonly meant: string } | undefined {
  const first = word.charAt(0)
  const mangled = MANGLED.test(word)
  const name = mangled ? 'a dash that was decoded wrongly' : DASHES.get(first)
  if (name === undefined) return undefined
  const rest = word.replace(MANGLED, '').replace(/^[-\u2010-\u2015\u2212\ufe63\uff0d]+/u, '')
  const letters = /^[^=]*/.exec(rest)?.[0] ?? ''
  const code = `U+${(first.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
  return { name, code, meant: `${letters.length === 1 ? '-' : '--'}${rest}` }
}
