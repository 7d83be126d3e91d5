import { type BigIntStats, closeSync, constants, lstatSync, readdirSync } from 'node:fs'
import { pathOfName, textOfName } from '#archive'
import { cancelled, invalid } from '#base'
import { descriptorPath, openInRoot, openRoot } from '#kernel'
import { ifThere, isOpaque } from '#store/snapshot'
import { kindOfPath, sizeOf } from './compare.ts'
import { isWhiteout } from './merged.ts'
import type { HiddenPath, PathOrigin } from './types.ts'

const O_PATH_FOLDER = 0o10000000 | constants.O_DIRECTORY
/** As deep as a walk through a tree goes. */
const MAX_DEPTH = 2100

export interface OriginOptions {
  /** Only these paths and what is below them; everything where there are none. With a slash in front, none at the end. */
  readonly paths: readonly string[]
  readonly cancelled: () => boolean
}

/** One layer's own folder at a path. */
interface Part {
  readonly fd: number
  readonly layer: number
  /** The layer above that hides all of it. */
  readonly by: number | undefined
}

/** What a layer says of a path. */
interface Mention {
  readonly layer: number
  readonly at: string | Buffer
  readonly stat: BigIntStats
  readonly whiteout: boolean
  readonly opaque: boolean
  readonly fd: number
  readonly by: number | undefined
}

/**
 * Of each path that a stack of layers mentions (bottom first) the layer it comes from and the entries of lower layers that
 * it hides; with nothing but the layers' folders. Folders come before what is in them, siblings sorted by bytes.
 */
export function listOrigins(roots: readonly string[], put: (origin: PathOrigin) => void, options: OriginOptions): void {
  const parts: Part[] = []
  try {
    for (const [layer, root] of roots.entries()) parts.push({ fd: openRoot(root), layer, by: undefined })
    walkParts({ path: '', depth: 0, parts }, put, options)
  } finally {
    close(parts)
  }
}

interface Folder {
  readonly path: string
  readonly depth: number
  /** Bottom first. */
  readonly parts: readonly Part[]
}

function walkParts({ path, depth, parts }: Folder, put: (origin: PathOrigin) => void, options: OriginOptions): void {
  if (depth > MAX_DEPTH) throw invalid('cannot look through layers: their folders are nested too deeply')
  const names = new Set(parts.flatMap(({ fd }) => readdirSync(descriptorPath(fd), { encoding: 'latin1' })))
  for (const name of [...names].toSorted((a, b) => (a < b ? -1 : Number(a > b)))) {
    if (options.cancelled()) throw cancelled('a look through layers')
    const inner = `${path}/${name}`
    const how = relation(inner, options.paths)
    if (how === 'aside') continue
    const mentions = covered(mentionsOf(parts, name))
    const origin = how === 'wanted' ? originOf(inner, mentions) : undefined
    if (origin) put(origin)
    const folders = openParts(mentions, name)
    try {
      if (folders.length > 0) walkParts({ path: inner, depth: depth + 1, parts: folders }, put, options)
    } finally {
      close(folders)
    }
  }
}

function relation(path: string, wanted: readonly string[]): 'wanted' | 'above' | 'aside' {
  if (wanted.length === 0 || wanted.some((one) => path === one || path.startsWith(`${one}/`))) return 'wanted'
  return wanted.some((one) => one.startsWith(`${path}/`)) ? 'above' : 'aside'
}

function mentionsOf(parts: readonly Part[], name: string): readonly Mention[] {
  return parts.flatMap(({ fd, layer, by }) => {
    const at = pathOfName(`${descriptorPath(fd)}/${name}`)
    const stat = ifThere(() => lstatSync(at, { bigint: true }))
    if (!stat) return []
    const opaque = stat.isDirectory() && isOpaque(at)
    return [{ layer, at, stat, whiteout: isWhiteout(stat), opaque, fd, by }]
  })
}

/** With the lowest layer above that hides each: by a removal, an opaque folder, or something else in its place. */
function covered(mentions: readonly Mention[]): readonly Mention[] {
  return mentions.map((mention, index) => {
    const hider = mentions.slice(index + 1).find((above) => hides(above, mention))
    const candidates = [mention.by, hider?.layer].filter((layer) => layer !== undefined)
    return { ...mention, by: candidates.length > 0 ? Math.min(...candidates) : undefined }
  })
}

function hides(above: Mention, below: Mention): boolean {
  return above.whiteout || above.opaque || !above.stat.isDirectory() || !below.stat.isDirectory()
}

/** Undefined where there is only a removal of nothing, or a folder that comes to nothing. */
function originOf(path: string, mentions: readonly Mention[]): PathOrigin | undefined {
  const seen = mentions.filter(({ whiteout, by }) => !whiteout && by === undefined)
  // of a folder that several layers have a part in, the one that made it
  const owner = seen.at(-1)?.stat.isDirectory() ? seen[0] : seen.at(-1)
  const hidden = mentions.flatMap((mention): HiddenPath[] => {
    const { layer, by, stat, whiteout } = mention
    if (whiteout || by === undefined || (stat.isDirectory() && owner?.stat.isDirectory())) return []
    return [{ layer, by, type: kindOfPath(stat), size: sizeOf(stat) }]
  })
  if (!owner && hidden.length === 0) return undefined
  return {
    path: textOfName(path),
    hidden,
    ...(owner && { layer: owner.layer, type: kindOfPath(owner.stat), size: sizeOf(owner.stat) }),
  }
}

function openParts(mentions: readonly Mention[], name: string): readonly Part[] {
  const folders: Part[] = []
  try {
    for (const { stat, fd, layer, by } of mentions) {
      if (stat.isDirectory()) folders.push({ fd: openInRoot(fd, pathOfName(name), O_PATH_FOLDER), layer, by })
    }
    return folders
  } catch (error) {
    close(folders)
    throw error
  }
}

function close(parts: readonly Part[]): void {
  for (const { fd } of parts) closeSync(fd)
}
