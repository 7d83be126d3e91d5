import { existsSync, readdirSync, renameSync } from 'node:fs'
import { open, stat, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { errnoOf, unavailable } from '#base'
import type { LogLimits } from './log-options.ts'

/** Bytes that are kept beyond the limits for those who still read; who is further behind is cut off. */
const HELD = 1 << 30

/**
 * The files of one log, numbered in the order of writing. The newest is at the log's own path; one that was put aside
 * has its number behind that path. Lines never go over the end of a file.
 */
export interface LogFiles {
  /** The number of the newest. */
  readonly newest: number
  readonly folder: string
  /** Begins to read: no file is removed that this reader has not passed. */
  read(): LogReading
  /**
   * Puts the newest aside and has the writer begin another: `reopen` tells it to, and answers whether it was told. Nothing
   * happens while the writer has not yet followed the last time.
   */
  rotate(reopen: () => boolean): void
  /** True where the newest is put aside and its successor is not there: somebody was killed between the two, or is slow. */
  isBetween(): boolean
  /** Removes what is beyond the limits. */
  trim(): Promise<void>
  /** Bytes of the newest; undefined where there is none yet. */
  size(): Promise<number | undefined>
}

/** One reader's hold on the files, from a number on. */
export interface LogReading extends Disposable {
  /** The number of the oldest that is there. */
  readonly first: number
  /** Files before this one are not needed any more. */
  pass(number: number): void
  /** Undefined where it is not there (yet). Throws `unavailable` where it was removed under this reader. */
  open(number: number): Promise<FileHandle | undefined>
  /** True once nothing more is written to it. */
  isFinal(number: number): boolean
}

export function createLogFiles(path: string, limits: LogLimits): LogFiles {
  return new Files(path, limits)
}

class Files implements LogFiles {
  readonly #path: string
  readonly #limits: LogLimits
  readonly #readers = new Set<{ from: number }>()
  #oldest = 0
  #newest: number | undefined

  constructor(path: string, limits: LogLimits) {
    this.#path = path
    this.#limits = limits
  }

  get folder(): string {
    return dirname(this.#path)
  }

  get newest(): number {
    this.#newest ??= this.#look()
    return this.#newest
  }

  read(): LogReading {
    const hold = { from: this.newest === 0 ? 0 : this.#oldest }
    this.#readers.add(hold)
    return {
      first: hold.from,
      pass: (number) => {
        hold.from = Math.max(hold.from, number)
      },
      open: (number) => this.#open(number),
      isFinal: (number) => this.#isFinal(number),
      [Symbol.dispose]: () => {
        this.#readers.delete(hold)
      },
    }
  }

  rotate(reopen: () => boolean): void {
    const number = this.newest
    if (!existsSync(this.#path)) return
    const aside = `${this.#path}.${number}`
    renameSync(this.#path, aside)
    if (reopen()) this.#newest = number + 1
    // Nobody was told: there is no new file that this could take the place of.
    else renameSync(aside, this.#path)
  }

  isBetween(): boolean {
    return this.newest > 0 && !existsSync(this.#path)
  }

  async trim(): Promise<void> {
    const { maxFiles, maxSize } = this.#limits
    const needed = Math.min(...[...this.#readers].map(({ from }) => from))
    const held = Math.max(maxFiles, Math.ceil(HELD / maxSize))
    while (this.#oldest <= this.newest - maxFiles && this.#isFinal(this.#oldest)) {
      if (this.#oldest >= needed && this.newest - this.#oldest < held) return
      this.#oldest += 1
      await unlink(`${this.#path}.${this.#oldest - 1}`).catch(unlessAbsent)
    }
  }

  async size(): Promise<number | undefined> {
    return (await stat(this.#path).catch(unlessAbsent))?.size
  }

  /** What is there after a start of the daemon. */
  #look(): number {
    const name = `${basename(this.#path)}.`
    const numbers = namesIn(this.folder)
      .filter((entry) => entry.startsWith(name) && /^\d+$/.test(entry.slice(name.length)))
      .map((entry) => Number(entry.slice(name.length)))
    const newest = numbers.length === 0 ? 0 : Math.max(...numbers) + 1
    this.#oldest = Math.min(newest, ...numbers)
    return newest
  }

  async #open(number: number): Promise<FileHandle | undefined> {
    for (;;) {
      const newest = this.newest
      const file = await open(number === newest ? this.#path : `${this.#path}.${number}`, 'r').catch(unlessAbsent)
      if (newest === this.newest || number !== newest) {
        if (!file && number < this.#oldest) throw unavailable('cannot read a log: its reader is too far behind')
        return file
      }
      // It was put aside meanwhile.
      await file?.close()
    }
  }

  /** The writer goes on in the last file put aside until it has made the next. */
  #isFinal(number: number): boolean {
    return number < this.newest - 1 || (number === this.newest - 1 && existsSync(this.#path))
  }
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

function unlessAbsent(error: unknown): undefined {
  if (errnoOf(error) !== 'ENOENT') throw error
}
