import { closeSync, constants, openSync, readSync } from 'node:fs'
import { cancelled, invalid } from '#base'
import { componentsOfName, quoteName, TarReader } from '#archive'
import type { TarEntry, TarSink } from '#archive'
import type { JobContext } from '#kernel'
import { makeDevice } from '#kernel'
import type { ConfinedRoot, Owner } from './confined-root.ts'
import { join } from './select.ts'
import { TreeWriter } from './write-tree.ts'
import type { Attributes, OpenFile } from './write-tree.ts'

const CHUNK = 1 << 20
const TYPES = { character: constants.S_IFCHR, block: constants.S_IFBLK, fifo: constants.S_IFIFO } as const

/** How an archive is unpacked into a root. */
export interface UnpackOptions {
  readonly root: ConfinedRoot
  /** The folder in it that the archive's names are below; it must be there. */
  readonly place: string
  /** Instead of the owners in the archive. */
  readonly owner?: Owner
  /** Devices and FIFOs are left out. */
  readonly plainOnly: boolean
  readonly context: JobContext
}

/** Unpacks a plain tar file. Names that would leave the place end it with `invalid`; malformed archives with `corrupt`. */
export function unpackTar(file: string, options: UnpackOptions): void {
  const sink = new UnpackSink(options)
  const reader = new TarReader(sink)
  const fd = openSync(file, constants.O_RDONLY)
  const buffer = Buffer.allocUnsafe(CHUNK)
  try {
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) reader.push(buffer.subarray(0, read))
    reader.finish()
    sink.finish()
  } finally {
    sink.close()
    closeSync(fd)
  }
}

const ROOT: Owner = { uid: 0, gid: 0 }

class UnpackSink implements TarSink {
  readonly #options: UnpackOptions
  readonly #writer: TreeWriter
  #open: { readonly file: OpenFile; readonly attributes: Attributes; readonly size: number } | undefined

  constructor(options: UnpackOptions) {
    this.#options = options
    this.#writer = new TreeWriter(options.root)
  }

  entry(entry: TarEntry): void {
    if (this.#options.context.cancelled()) throw cancelled('unpack archive')
    const components = componentsOfName(entry.path)
    const name = components.pop()
    if (name === undefined) return
    const folder = join(this.#options.place, components.join('/'))
    this.#options.root.makeFolders(folder, this.#options.owner ?? ROOT)
    this.#write(entry, folder, name)
  }

  body(chunk: Buffer, offset: number): void {
    this.#open?.file.append(chunk, offset)
  }

  end(): void {
    const open = this.#open
    this.#open = undefined
    open?.file.finish(open.attributes, open.size)
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
        this.#open = { file: this.#writer.openFile(folder, name), attributes, size: entry.size }
        return
      case 'symlink':
        return this.#writer.link(folder, name, attributes, entry.link)
      case 'hardlink':
        return this.#hardLink(entry, folder, name)
      case 'character':
      case 'block':
      case 'fifo': {
        if (this.#options.plainOnly) return
        const mode = attributes.mode | TYPES[entry.kind]
        const device = BigInt(makeDevice(entry.major, entry.minor))
        return this.#writer.node(folder, name, { ...attributes, mode }, device)
      }
    }
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
    const xattrs = [...entry.xattrs].filter(([name]) => name === 'security.capability')
    return {
      mode: entry.mode & 0o7777,
      owner: this.#options.owner ?? { uid: entry.uid, gid: entry.gid },
      mtime: entry.mtime,
      xattrs: xattrs.map(([name, value]) => ({ name, value: Buffer.from(value) })),
    }
  }
}
