import { type BigIntStats, closeSync, constants, lstatSync, readdirSync } from 'node:fs'
import { pathOfName } from '#archive'
import { descriptorPath, openInRoot, openRoot, type PlainStat } from '#kernel'
import { ifThere, isOpaque } from '#store/snapshot'

const O_PATH_FOLDER = 0o10000000 | constants.O_DIRECTORY

/** True for overlay's mark that a name is removed: a character device 0:0. */
export function isWhiteout(stat: PlainStat): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n
}

export interface MergedEntry {
  readonly at: string | Buffer
  readonly stat: BigIntStats
  /** The root folder of the layer that it comes from. */
  readonly root: string
}

/** A layer's own part of a merged folder. */
interface Part {
  readonly fd: number
  readonly root: string
}

/**
 * A folder as overlayfs shows it through its layers (topmost first), without a mount: whiteouts hide, opaque folders and
 * all that is no folder end the merge. Held by descriptors; the caller disposes of it.
 */
export class MergedFolder implements Disposable {
  readonly #parts: readonly Part[]

  private constructor(parts: readonly Part[]) {
    this.#parts = parts
  }

  static open(roots: readonly string[]): MergedFolder {
    return new MergedFolder(roots.map((root) => ({ fd: openRoot(root), root })))
  }

  /** The root folders of the layers that have a part in it, topmost first. */
  get roots(): readonly string[] {
    return this.#parts.map(({ root }) => root)
  }

  /** The folder itself. */
  get own(): MergedEntry | undefined {
    const [top] = this.#parts
    if (!top) return undefined
    const at = `${descriptorPath(top.fd)}/.`
    return { at, stat: lstatSync(at, { bigint: true }), root: top.root }
  }

  /** What stands under a name, or undefined. */
  find(name: string): MergedEntry | undefined {
    for (const { fd, root } of this.#parts) {
      const at = pathOfName(`${descriptorPath(fd)}/${name}`)
      const stat = ifThere(() => lstatSync(at, { bigint: true }))
      if (stat) return isWhiteout(stat) ? undefined : { at, stat, root }
    }
    return undefined
  }

  /** The folder of a name; undefined where there is none or it is something else. */
  enter(name: string): MergedFolder | undefined {
    const opened: Part[] = []
    for (const { fd, root } of this.#parts) {
      const at = pathOfName(`${descriptorPath(fd)}/${name}`)
      const stat = ifThere(() => lstatSync(at))
      if (!stat) continue
      if (!stat.isDirectory()) break
      opened.push({ fd: openInRoot(fd, pathOfName(name), O_PATH_FOLDER), root })
      if (isOpaque(at)) break
    }
    return opened.length === 0 ? undefined : new MergedFolder(opened)
  }

  /** The names that are seen, without order. */
  names(): ReadonlySet<string> {
    const seen = new Set<string>()
    const hidden = new Set<string>()
    for (const { fd } of this.#parts) {
      for (const name of readdirSync(descriptorPath(fd), { encoding: 'latin1' })) {
        if (seen.has(name) || hidden.has(name)) continue
        const stat = lstatSync(pathOfName(`${descriptorPath(fd)}/${name}`), { bigint: true })
        if (isWhiteout(stat)) hidden.add(name)
        else seen.add(name)
      }
    }
    return seen
  }

  /** All names, removals too, in the parts of the layers for which `of` is true. */
  namesIn(of: (root: string) => boolean): ReadonlySet<string> {
    const parts = this.#parts.filter(({ root }) => of(root))
    return new Set(parts.flatMap(({ fd }) => readdirSync(descriptorPath(fd), { encoding: 'latin1' })))
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#parts) closeSync(fd)
  }
}
