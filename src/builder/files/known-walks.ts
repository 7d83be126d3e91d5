import { createHash } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { errnoOf, shortId } from '#base'
import { STATE_WORDS } from '#kernel'
import { isSettled } from './file-digests.ts'
import { type Selection, standing } from './select.ts'
import type { SourceTree } from './source-tree.ts'

/** Forms of the same context whose outcome is kept: other sources, other ignore rules. */
const MAX_KEPT = 16
/** Entries whose numbers are hashed together. */
const AT_ONCE = 1024

/** Where walks are remembered of a context whose digests are in that file. */
export function walksBeside(digests: string): string {
  return `${digests}.walks`
}

/** Form, what was asked for, what the walk has seen, the outcome. */
type Kept<T> = readonly [form: number, question: string, seen: string, outcome: T]
const FORM = 1

/**
 * What a walk of a folder has led to, believed as long as each entry that it comes to has the same name, place, kind, owner,
 * mode, inode, size and times. An unchanged context costs its walk, whatever it holds. Kept in one file of the builder's own; a lost or
 * broken one only costs time.
 */
export class KnownWalks<T> {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  find(question: string, seen: string): T | undefined {
    return this.#read().find(([, asked, before]) => asked === question && before === seen)?.[3]
  }

  remember(question: string, seen: string, outcome: T): void {
    const others = this.#read().filter(([, asked]) => asked !== question)
    const all: readonly Kept<T>[] = [[FORM, question, seen, outcome], ...others.slice(0, MAX_KEPT - 1)]
    const temporary = `${this.#path}.${shortId()}`
    try {
      writeFileSync(temporary, JSON.stringify(all), { mode: 0o600 })
      renameSync(temporary, this.#path)
    } finally {
      rmSync(temporary, { force: true })
    }
  }

  #read(): readonly Kept<T>[] {
    try {
      const all = JSON.parse(readFileSync(this.#path, 'utf8')) as readonly Kept<T>[]
      return all.filter(([form]) => form === FORM)
    } catch (error) {
      if (error instanceof SyntaxError || errnoOf(error) === 'ENOENT') return []
      throw error
    }
  }
}

/** What a walk of a folder has seen, as a hash. */
export function seenBy(selections: readonly Selection[]): string {
  const numbers = createHash('sha256')
  const words = new Int32Array(AT_ONCE * STATE_WORDS)
  let names = ''
  let used = 0
  for (const { name, place, entries } of selections) {
    names += `${name}\0${place}\0${entries.length}\0`
    for (const { path, stat } of entries) {
      names += `${path}\0`
      stat.copyState?.(words, used)
      used += STATE_WORDS
      if (used < words.length) continue
      numbers.update(words)
      used = 0
    }
  }
  numbers.update(words.subarray(0, used))
  return createHash('sha256').update(numbers.digest()).update(names, 'latin1').digest('hex')
}

/**
 * True where each entry had long been as the walk saw it (`now`: nanoseconds since the epoch, before the walk), also when it was read: then
 * whoever sees the same later will find the same.
 */
export function isSure(source: SourceTree, selections: readonly Selection[], now: bigint): boolean {
  const all = selections.flatMap((selection) => selection.entries.map((entry) => ({ selection, entry })))
  return (
    all.every(({ entry }) => isSettled(entry.stat, now)) &&
    all.every(
      ({ selection, entry }) =>
        entry.kind !== 'file' || source.known(...standing(selection, entry), entry.stat) !== undefined,
    )
  )
}
