import { type BigIntStats, closeSync, constants, lstatSync, readdirSync } from 'node:fs'
import { pathOfName } from '#archive'
import { descriptorPath, openInRoot, openRoot } from '#kernel'
import { ifThere, isOpaque } from '#store/snapshot'

const O_PATH_FOLDER = 0o10000000 | constants.O_DIRECTORY

/** True for overlay's mark that a name is removed: a character device 0:0. */
export function isWhiteout(stat: BigIntStats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n
}

export interface MergedEntry {
  readonly at: string | Buffer
  readonly stat: BigIntStats
}

/**
 * A folder as overlayfs shows it through its layers (topmost first), without a mount: whiteouts hide, opaque folders and
 * all that is no folder end the merge. Held by descriptors; the caller disposes of it.
 */
export class MergedFolder implements Disposable {
  readonly #folders: readonly number[]

  private constructor(folders: readonly number[]) {
    this.#folders = folders
  }

  static open(roots: readonly string[]): MergedFolder {
    return new MergedFolder(roots.map((root) => openRoot(root)))
  }

  /** What stands under a name, or undefined. */
  find(name: string): MergedEntry | undefined {
    for (const folder of this.#folders) {
      const at = pathOfName(`${descriptorPath(folder)}/${name}`)
      const stat = ifThere(() => lstatSync(at, { bigint: true }))
      if (stat) return isWhiteout(stat) ? undefined : { at, stat }
    }
    return undefined
  }

  /** The folder of a name; undefined where there is none or it is something else. */
  enter(name: string): MergedFolder | undefined {
    const opened: number[] = []
    for (const folder of this.#folders) {
      const at = pathOfName(`${descriptorPath(folder)}/${name}`)
      const stat = ifThere(() => lstatSync(at))
      if (!stat) continue
      if (!stat.isDirectory()) break
      opened.push(openInRoot(folder, pathOfName(name), O_PATH_FOLDER))
      if (isOpaque(at)) break
    }
    return opened.length === 0 ? undefined : new MergedFolder(opened)
  }

  /** The names that are seen, without order. */
  names(): ReadonlySet<string> {
    const seen = new Set<string>()
    const hidden = new Set<string>()
    for (const folder of this.#folders) {
      for (const name of readdirSync(descriptorPath(folder), { encoding: 'latin1' })) {
        if (seen.has(name) || hidden.has(name)) continue
        const stat = lstatSync(pathOfName(`${descriptorPath(folder)}/${name}`), { bigint: true })
        if (isWhiteout(stat)) hidden.add(name)
        else seen.add(name)
      }
    }
    return seen
  }

  [Symbol.dispose](): void {
    for (const folder of this.#folders) closeSync(folder)
  }
}
