import { TarWriter } from '#archive'
import type { TarInput, TarKind } from '#archive'

/** A made-up layer. */
export interface MadeLayer {
  readonly tar: Buffer
  /** Nothing in it is malformed: other readers must see the same entries. It may be hostile all the same. */
  readonly wellFormed: boolean
}

/** Numbers from a seed: the same layer again for the same seed (mulberry32). */
export interface Dice {
  below(limit: number): number
  chance(probability: number): boolean
  pick<T>(values: readonly [T, ...T[]]): T
}

export function createDice(seed: number): Dice {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    below,
    chance: (probability) => next() < probability,
    pick: (values) => values[below(values.length)] ?? values[0],
  }
}

/** Few names, so that entries meet: as parents, links, doubles and removals of each other. */
const FOLDERS = ['a', 'b', 'dir', '\xff\xfe', 'n'.repeat(120)] as const
const LINKED = ['link', 'up', 'abs', 'self'] as const
const FILES = ['c', 'file', 'gr\xc3\xbcn', '\xe9', 'm'.repeat(200)] as const
const LINKS = [
  'a',
  'dir',
  'b/dir',
  '.',
  '..',
  'a',
  'dir',
  'dir/b',
  'link',
  'self',
  '/',
  '/dir',
  '/canary/secret',
  '../canary',
  '../../canary/secret',
  '../'.repeat(30).concat('canary'),
  '../../../../../../etc',
  'l'.repeat(150),
] as const
const HOSTILE_PATHS = [
  '../canary/secret',
  '../../canary/new',
  '/../canary/secret',
  'dir/../../canary/secret',
  '/canary/secret',
  '..',
  '/',
  '.',
  './',
  'dir/..',
  'link/../../canary/secret',
  '.wh.',
  '.wh..',
  '.wh...',
  'dir/.wh...',
  '.wh..wh.plnk',
  '.wh..wh.plnk/a',
  '.wh.a/b',
  'link/.wh.a',
  'up/.wh..wh..opq',
  'abs/.wh.secret',
  'up/canary/secret',
  'x'.repeat(256),
  'y/'.repeat(1500).concat('z'),
  'y/'.repeat(2100).concat('z'),
] as const

/** What one layer is made with. */
interface Maker {
  readonly dice: Dice
  /** Only what a base layer could have, so that other layers fit on it. */
  readonly gentle: boolean
  /** How often an entry is an attack. */
  readonly malice: number
  /** Files made so far, for hard links that lead somewhere. */
  readonly files: string[]
}

/** A layer of up to 25 entries; a gentle one has no whiteouts, attacks or damage. */
export function makeLayer(dice: Dice, options: { readonly gentle?: boolean } = {}): MadeLayer {
  const gentle = options.gentle ?? false
  const malice = gentle ? 0 : dice.pick([0, 0, 0.02, 0.1, 0.3])
  const maker: Maker = { dice, gentle, malice, files: [] }
  const parts = Array.from({ length: 1 + dice.below(25) }, () => makeEntry(maker))
  const tar = Buffer.concat([...parts, Buffer.alloc(1024)])
  const damaged = gentle || dice.chance(0.8) ? undefined : damage(dice, tar)
  return damaged ? { tar: damaged, wellFormed: false } : { tar, wellFormed: true }
}

function makeEntry(maker: Maker): Buffer {
  const { dice, gentle, malice, files } = maker
  if (dice.chance(malice / 3)) return makeSparse(dice, [2 ** 45, 2 ** 52])
  if (dice.chance(0.03)) return makeSparse(dice, [10_000, 100_000])
  if (!gentle && dice.chance(0.15)) return makeWhiteout(maker)
  const kind = makeKind(dice)
  const path = dice.chance(malice) ? dice.pick(HOSTILE_PATHS) : makePath(maker, kind)
  const body = kind === 'file' ? makeBody(dice) : Buffer.alloc(0)
  const link = kind === 'symlink' || kind === 'hardlink' ? makeLink(maker, kind) : ''
  if (kind === 'hardlink' && link === '') return Buffer.alloc(0)
  if (kind === 'file') files.push(path)
  return entryBytes({ kind, path, link, size: body.length, ...makeAttributes(dice, kind, gentle) }, body)
}

function makeKind(dice: Dice): TarKind {
  const rare = dice.pick<TarKind>(['hardlink', 'hardlink', 'fifo', 'character', 'block'])
  return dice.pick<TarKind>(['file', 'file', 'file', 'directory', 'directory', 'symlink', rare, rare])
}

function makeWhiteout({ dice }: Maker): Buffer {
  const folder = dice.pick(['', '', 'a/', 'dir/', 'dir/b/', 'link/'])
  const name = dice.pick([...FILES, ...FOLDERS, ...LINKED, '.wh..opq'] as const)
  return entryBytes({ kind: 'file', path: `${folder}.wh.${name}` }, Buffer.alloc(0))
}

function makePath({ dice, malice }: Maker, kind: TarKind): string {
  const parents = Array.from({ length: dice.below(3) }, () => dice.pick(FOLDERS))
  const through = dice.chance(0.1) ? [dice.pick(LINKED)] : []
  // where kinds meet under one name, the last is to win, or a folder is missing where it is needed
  const mixed = dice.chance(0.05 + malice)
  const own = kind === 'directory' ? FOLDERS : kind === 'symlink' ? LINKED : FILES
  const name = mixed ? dice.pick([...FOLDERS, ...LINKED, ...FILES] as const) : dice.pick<string>([own[0], ...own])
  return `${dice.chance(0.2) ? './' : ''}${[...through, ...parents, name].join('/')}`
}

function makeLink({ dice, malice, files }: Maker, kind: TarKind): string {
  if (kind === 'symlink') return dice.pick(LINKS)
  if (dice.chance(malice)) return dice.pick([...LINKS, ...HOSTILE_PATHS] as const)
  return files[dice.below(files.length)] ?? ''
}

function makeBody(dice: Dice): Buffer {
  const size = dice.pick([0, 1, 5, 511, 512, 513, 4096, 70_000])
  return Buffer.alloc(size, dice.pick(['x', '\0', 'abc']))
}

function makeAttributes(dice: Dice, kind: TarKind, gentle: boolean): Partial<TarInput> {
  const device = dice.pick<readonly [number, number]>([
    [0, 0],
    [1, 3],
    [8, 1],
    [259, 1_000_000],
  ])
  const isDevice = kind === 'character' || kind === 'block'
  return {
    mode: dice.pick([0o644, 0o755, 0o4755, 0o2775, 0o1777, 0o600, 0, 0o7777]),
    uid: dice.pick([0, 1000, 65534, 3_000_000, 0xfffffffe]),
    gid: dice.pick([0, 1000, 5, 3_000_000]),
    mtime: dice.pick([0n, 1n, 1_600_000_000_123_456_789n, -1n, -86_400_500_000_000n, 4_000_000_000_999_999_999n]),
    ...(isDevice ? { major: gentle ? 1 : device[0], minor: gentle ? 3 : device[1] } : {}),
    ...(dice.chance(0.2) ? { xattrs: makeXattrs(dice) } : {}),
  }
}

const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex')

function makeXattrs(dice: Dice): ReadonlyMap<string, Uint8Array> {
  const all: readonly (readonly [string, Uint8Array])[] = [
    ['user.a', Buffer.from([0, 1, 2, 255])],
    ['user.empty', Buffer.alloc(0)],
    ['user.large', Buffer.alloc(900, 'v')],
    ['user.a=b', Buffer.from('c')],
    ['security.capability', CAPABILITY],
    ['trusted.note', Buffer.from('t')],
    ['trusted.overlay.opaque', Buffer.from('y')],
    ['trusted.overlay.redirect', Buffer.from('/canary')],
    ['trusted.overlay.metacopy', Buffer.alloc(0)],
    ['user.overlay.opaque', Buffer.from('y')],
  ]
  return new Map(all.filter(() => dice.chance(0.25)))
}

/** One entry by the project's own writer, without the archive's end. */
function entryBytes(entry: TarInput, body: Buffer): Buffer {
  const chunks: Buffer[] = []
  const writer = new TarWriter((chunk) => chunks.push(Buffer.from(chunk)))
  writer.entry(entry)
  writer.body(body)
  writer.finish()
  return Buffer.concat(chunks).subarray(0, -1024)
}

/** A sparse file in GNU tar's form 1.0. */
function makeSparse(dice: Dice, sizes: readonly [number, ...number[]]): Buffer {
  const size = dice.pick(sizes)
  const map = Buffer.alloc(512)
  map.write('2\n1024\n3\n8192\n2\n')
  const records = `GNU.sparse.major=1 GNU.sparse.minor=0 GNU.sparse.name=${dice.pick(FILES)} GNU.sparse.realsize=${size}`
  const pax = Buffer.from(records.split(' ').map(recordOf).join(''), 'latin1')
  const header = entryBytes({ kind: 'file', path: 'pax', size: pax.length }, pax)
  header.write('x', 156)
  setChecksum(header)
  const file = entryBytes(
    { kind: 'file', path: 'holes', size: 517, mode: 0o644 },
    Buffer.concat([map, Buffer.from('abcde')]),
  )
  return Buffer.concat([header, file])
}

function recordOf(text: string): string {
  const rest = ` ${text}\n`
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}

function setChecksum(block: Buffer): void {
  block.fill(0x20, 148, 156)
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
}

/** Cut short, with changed bytes, or with a field of a header made senseless under a right checksum. */
function damage(dice: Dice, tar: Buffer): Buffer {
  const damaged = Buffer.from(tar)
  switch (dice.below(3)) {
    case 0:
      return damaged.subarray(0, dice.below(damaged.length))
    case 1:
      for (let count = 1 + dice.below(5); count > 0; count -= 1) damaged[dice.below(damaged.length)] = dice.below(256)
      return damaged
    default: {
      const block = damaged.subarray(0, 512)
      const at = dice.pick([0, 100, 108, 116, 124, 136, 156, 157, 257, 329, 345])
      block.write(dice.pick(['\x80\0\0\0\0\x7f', '77777777777', '-1', '\xff\xff\xff\xff', '9', 'zz', '']), at, 'latin1')
      setChecksum(block)
      return damaged
    }
  }
}
