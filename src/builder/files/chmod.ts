import { invalid } from '#base'

/** Gives the permission bits of an entry that had `mode`. */
export type ModeChange = (mode: number, isFolder: boolean) => number

const CLAUSE = /^([ugoa]*)((?:[+=-][rwxXst]*)+)$/

/** `--chmod`: octal, or chmod's symbolic form («u=rwX,go=rX»). Throws in BuildKit's words. */
export function parseChmod(text: string): ModeChange {
  if (/^[0-7]{1,5}$/.test(text) && Number.parseInt(text, 8) <= 0o7777) {
    const fixed = Number.parseInt(text, 8)
    return () => fixed
  }
  const clauses = text.split(',').map((part) => CLAUSE.exec(part))
  const fail = () => invalid(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`)
  const changes = clauses.flatMap((clause) => {
    if (clause === null) throw fail()
    const [, who = '', actions = ''] = clause
    return [...actions.matchAll(/([+=-])([rwxXst]*)/g)].map(([, operator = '', letters = '']) =>
      change(who, operator, letters),
    )
  })
  return (mode, isFolder) => changes.reduce((bits, apply) => apply(bits, isFolder), mode & 0o7777)
}

const SHIFTS: readonly (readonly [string, number])[] = [
  ['u', 6],
  ['g', 3],
  ['o', 0],
]

function change(who: string, operator: string, letters: string): ModeChange {
  const targets = SHIFTS.filter(([letter]) => who === '' || who.includes('a') || who.includes(letter))
  return (mode, isFolder) => {
    const executable = isFolder || (mode & 0o111) !== 0
    const triple =
      (letters.includes('r') ? 4 : 0) |
      (letters.includes('w') ? 2 : 0) |
      (letters.includes('x') || (letters.includes('X') && executable) ? 1 : 0)
    let bits = 0
    let mask = 0
    for (const [letter, shift] of targets) {
      const special = letter === 'o' ? 0 : letters.includes('s') ? 1 << (letter === 'u' ? 11 : 10) : 0
      bits |= (triple << shift) | special
      mask |= 7 << shift
    }
    if (letters.includes('t')) bits |= 0o1000
    if (operator === '+') return mode | bits
    return operator === '-' ? mode & ~bits : (mode & ~mask) | bits
  }
}
