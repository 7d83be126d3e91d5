import { corrupt, formatTime, invalid } from '#base'

/** The header by which `docker cp` learns what stands at a path. */
export const PATH_STAT_HEADER = 'X-Docker-Container-Path-Stat'

/** What stands at a path of a container. */
export interface PathStatFacts {
  readonly name: string
  readonly size: number
  /** st_mode, with the bits of its type. */
  readonly mode: number
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint
  /** Of a link, where it leads; else empty. */
  readonly linkTarget: string
}

/** The header's value: base64 of JSON, with the mode as Go's `fs.FileMode` has it. */
export function formatPathStat({ name, size, mode, mtime, linkTarget }: PathStatFacts): string {
  const json = { name, size, mode: goMode(mode), mtime: formatTime(mtime), linkTarget }
  return Buffer.from(JSON.stringify(json)).toString('base64')
}

export type PathKind = 'file' | 'folder' | 'link' | 'device' | 'other'

/** What a client needs of the header; `corrupt` where it is none. */
export interface PathStatHead {
  readonly kind: PathKind
  readonly linkTarget: string
}

export function parsePathStat(header: string | undefined): PathStatHead {
  const value = header === undefined ? undefined : parseJson(Buffer.from(header, 'base64').toString())
  if (typeof value !== 'object' || value === null || !('mode' in value) || typeof value.mode !== 'number')
    throw corrupt('cannot read reply: it does not say what stands at the path')
  const linkTarget = 'linkTarget' in value && typeof value.linkTarget === 'string' ? value.linkTarget : ''
  return { kind: kindOf(BigInt(value.mode)), linkTarget }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const GO_DIR = 2 ** 31
const GO_SYMLINK = 2 ** 27
const GO_DEVICE = 2 ** 26
const GO_PIPE = 2 ** 25
const GO_SOCKET = 2 ** 24
const GO_CHARACTER = 2 ** 21

/** By st_mode's bits of type. */
const GO_TYPES: ReadonlyMap<number, number> = new Map([
  [0o040000, GO_DIR],
  [0o120000, GO_SYMLINK],
  [0o060000, GO_DEVICE],
  [0o020000, GO_DEVICE + GO_CHARACTER],
  [0o010000, GO_PIPE],
  [0o140000, GO_SOCKET],
  [0o100000, 0],
])

const GO_SPECIAL = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
] as const

function goMode(mode: number): number {
  const type = GO_TYPES.get(mode & 0o170000)
  if (type === undefined) throw invalid(`mode ${mode.toString(8)} has an unknown type`)
  const special = GO_SPECIAL.reduce((sum, [bit, go]) => sum + (mode & bit ? go : 0), 0)
  return type + special + (mode & 0o777)
}

function kindOf(mode: bigint): PathKind {
  const has = (bit: number): boolean => (mode & BigInt(bit)) !== 0n
  if (has(GO_DIR)) return 'folder'
  if (has(GO_SYMLINK)) return 'link'
  if (has(GO_DEVICE)) return 'device'
  return has(GO_PIPE) || has(GO_SOCKET) ? 'other' : 'file'
}
