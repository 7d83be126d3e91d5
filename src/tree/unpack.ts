import { closeSync, constants, openSync, readSync } from 'node:fs'
import { cancelled, EngineError, invalid } from '#base'
import { componentsOfName, placeOfName, quoteName, TarReader } from '#archive'
import type { TarEntry, TarSink, TarTap } from '#archive'
import type { JobContext } from '#kernel'
import { makeDevice } from '#kernel'
import type { ConfinedRoot, Owner } from './confined-root.ts'
import { lstatIfThere } from './confined-root.ts'
import { TreeWriter, writeAtOnce } from './write-tree.ts'
import type { Attributes, EntryWriter, OpenFile } from './write-tree.ts'

const CHUNK = 1 << 20
const TYPES = { character: constants.S_IFCHR, block: constants.S_IFBLK, fifo: constants.S_IFIFO } as const

/** How an archive is unpacked into a root. */
export interface UnpackOptions {
  readonly root: ConfinedRoot
  /** The folder in it that the archive's names are below; it must be there. */
  readonly place: string
  /** Instead of the owners in the archive. */
  readonly owner?: Owner
  /** A folder is never replaced by something else, nor something else by a folder: that ends it in Docker's words. */
  readonly keepKinds?: boolean
  /** The user's own attributes (`user.*`) are set too, not only capabilities. */
  readonly userXattrs?: boolean
  /** Large files go by the page cache in any case: nobody reads or hashes them soon, and a client waits. */
  readonly cached?: boolean
  /** Writes below the root, in place of one of its own. */
  readonly writer?: EntryWriter
  /** Is told of all that comes, before it is written. */
  readonly watch?: TarSink
  /** Knows files that need not be written. */
  readonly stand?: FileStand
  /** Sees the archive itself; of entries that it takes, nothing else hears. */
  readonly tap?: TarTap
  readonly context: JobContext
}

/** Files that are there already in another way. */
export interface FileStand {
  /** True where the file that begins may be: then its bytes are held until all have come. */
  mayHave(): boolean
  /** After all of its bytes: true where it need not be written. */
  has(): boolean
}

interface HeldFile {
  readonly folder: string
  readonly name: string
  readonly attributes: Attributes
  readonly size: number
  readonly chunks: Buffer[]
}

/**
 * Unpacks a plain tar: a file, a descriptor that is read to its end (the caller closes it), or what a function gives to
 * `take` until it returns. Names that would leave the place end it with `invalid`; malformed archives with `corrupt`.
 */
export function unpackTar(source: string | number | TarFeed, options: UnpackOptions): void {
  const sink = new UnpackSink(options)
  const reader = new TarReader(sink, options.tap)
  try {
    feedOf(source)((bytes) => reader.push(bytes))
    reader.finish()
    sink.finish()
  } finally {
    sink.close()
  }
}

/** Gives the bytes of a tar, in pieces of any size that are valid during the call. */
export type TarFeed = (take: (bytes: Uint8Array) => void) => void

function feedOf(source: string | number | TarFeed): TarFeed {
  if (typeof source === 'function') return source
  if (typeof source === 'number') return (take) => readTo(source, take)
  return (take) => {
    const fd = openSync(source, constants.O_RDONLY)
    try {
      readTo(fd, take)
    } finally {
      closeSync(fd)
    }
  }
}

function readTo(fd: number, take: (bytes: Uint8Array) => void): void {
  const buffer = Buffer.allocUnsafe(CHUNK)
  for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) take(buffer.subarray(0, read))
}

const ROOT: Owner = { uid: 0, gid: 0 }

class UnpackSink implements TarSink {
  readonly #options: UnpackOptions
  readonly #writer: EntryWriter
  #open: { readonly file: OpenFile; readonly attributes: Attributes; readonly size: number } | undefined
  #held: HeldFile | undefined
  /** Of the entry before: it is there. What replaces a folder on the way to it stands in another one. */
  #folder: string | undefined

  constructor(options: UnpackOptions) {
    this.#options = options
    this.#writer = options.writer ?? new TreeWriter(options.root, options)
  }

  entry(entry: TarEntry): void {
    if (this.#options.context.cancelled()) throw cancelled('unpack archive')
    this.#options.watch?.entry(entry)
    const path = placeOfName(entry.path)
    if (path === '') return
    checkNumbers(entry)
    const slash = path.lastIndexOf('/')
    const name = path.slice(slash + 1)
    const folder = join(this.#options.place, path.slice(0, Math.max(0, slash)))
    if (folder !== this.#folder) this.#writer.makeFolders(folder, this.#options.owner ?? ROOT)
    this.#folder = folder
    if (this.#options.keepKinds) this.#checkKind(entry, folder, name)
    this.#write(entry, folder, name)
  }

  body(chunk: Buffer, offset: number): void {
    this.#options.watch?.body(chunk, offset)
    this.#open?.file.append(chunk, offset)
    // the last chunk stays what it is until `end`, which follows at once
    const held = this.#held
    held?.chunks.push(chunk.length === held.size ? chunk : Buffer.from(chunk))
  }

  end(): void {
    this.#options.watch?.end()
    const open = this.#open
    this.#open = undefined
    open?.file.finish(open.attributes, open.size)
    const held = this.#held
    this.#held = undefined
    if (held !== undefined && this.#options.stand?.has() !== true) this.#writeHeld(held)
  }

  finish(): void {
    this.#writer.finish()
  }

  close(): void {
    this.#open?.file.abandon()
    this.#open = undefined
  }

  #write(entry: TarEntry, folder: string, name: string): void {
    const attributes = this.#attributes(entry)
    switch (entry.kind) {
      case 'directory':
        return this.#writer.folder(folder, name, attributes)
      case 'file':
        if (this.#options.stand?.mayHave()) this.#held = { folder, name, attributes, size: entry.size, chunks: [] }
        else this.#open = { file: this.#writer.openFile(folder, name), attributes, size: entry.size }
        return
      case 'symlink':
        return this.#writer.link(folder, name, attributes, entry.link)
      case 'hardlink':
        return this.#hardLink(entry, folder, name)
      case 'character':
      case 'block':
      case 'fifo': {
        const mode = attributes.mode | TYPES[entry.kind]
        const device = BigInt(makeDevice(entry.major, entry.minor))
        return this.#writer.node(folder, name, { ...attributes, mode }, device)
      }
    }
  }

  #writeHeld({ folder, name, attributes, chunks }: HeldFile): void {
    writeAtOnce(this.#writer.openFile(folder, name), (append) => {
      for (const chunk of chunks) append(chunk)
      return attributes
    })
  }

  #checkKind({ kind, path }: TarEntry, folder: string, name: string): void {
    const stat = lstatIfThere(this.#options.root.entry(folder, name))
    if (stat === undefined || stat.isDirectory() === (kind === 'directory')) return
    const [old, now] = stat.isDirectory() ? ['directory', 'non-directory'] : ['non-directory', 'directory']
    const clean = quoteName(placeOfName(path))
    throw new EngineError(
      'internal',
      `cannot overwrite ${old} ${clean} with ${now} ${quoteName(`/${this.#options.place}`)}`,
    )
  }

  #hardLink(entry: TarEntry, folder: string, name: string): void {
    const components = componentsOfName(entry.link)
    const target = components.pop()
    if (target === undefined) throw invalid(`hard link ${quoteName(entry.path)} names the root`)
    const from = join(this.#options.place, components.join('/'))
    if (from === folder && target === name) return
    this.#writer.hardLink(folder, name, { folder: from, name: target })
  }

  #attributes(entry: TarEntry): Attributes {
    const { owner, userXattrs } = this.#options
    const kept = (name: string): boolean => name === 'security.capability' || (userXattrs === true && isUserXattr(name))
    const xattrs = [...entry.xattrs].filter(([name]) => kept(name))
    return {
      mode: entry.mode & 0o7777,
      owner: owner ?? { uid: entry.uid, gid: entry.gid },
      mtime: entry.mtime,
      xattrs: xattrs.map(([name, value]) => ({ name, value: Buffer.from(value) })),
    }
  }
}

/** Overlay's own names in that space would change what a mount shows. */
function isUserXattr(name: string): boolean {
  return name.startsWith('user.') && !name.startsWith('user.overlay.')
}

function join(folder: string, name: string): string {
  if (folder === '') return name
  return name === '' ? folder : `${folder}/${name}`
}

/** The largest id; the next one means «leave as it is» to chown. */
const MAX_ID = 0xfffffffe

function checkNumbers({ path, uid, gid, major, minor }: TarEntry): void {
  if (uid > MAX_ID || gid > MAX_ID) throw invalid(`entry ${quoteName(path)} has an impossible owner`)
  if (major > 0xfff || minor > 0xfffff) throw invalid(`entry ${quoteName(path)} has an impossible device number`)
}
