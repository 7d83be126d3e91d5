import { availableParallelism } from 'node:os'
import { corrupt } from '#base'
import type { RawName } from '#archive'
import { createRing, type JobContext, type Ring, RingWriter } from '#kernel'
import {
  type Attributes,
  ConfinedRoot,
  type EntryWriter,
  HandedWriter,
  type OpenFile,
  type Owner,
  TreeWriter,
  writeHanded,
} from '#tree'
import { ownIds, putEntry } from './known-files.ts'
import { type KnownInput, KnownLayer } from './known-layer.ts'
import type { TarNode } from './tar-index.ts'

/** So much work is worth the start of a second thread. Bytes; an entry counts as some. */
const WORTH_IT = 4 << 20
const ENTRY = 4 << 10
/** A file of so many bytes is worth to wait for that thread, for so long. Milliseconds. */
const LARGE = { bytes: 64 << 20, patience: 150 }

/** To whoever receives a context's report: it is large, `builder.write` is to be run with this. */
export interface SecondWriterWanted {
  readonly ring: Ring
}

export function isSecondWriterWanted(report: unknown): report is SecondWriterWanted {
  return typeof report === 'object' && report !== null && 'ring' in report
}

/** Writes a context's files: itself, until a second thread is there that takes it over. */
export class SharedWriter implements EntryWriter {
  readonly #root: ConfinedRoot
  readonly #own: TreeWriter
  readonly #context: JobContext
  #ring: RingWriter | undefined
  #isAsked = false
  #handed: HandedWriter | undefined
  #expected = 0

  constructor(root: ConfinedRoot, context: JobContext) {
    this.#root = root
    this.#own = new TreeWriter(root)
    this.#context = context
  }

  /** To be called for each entry, with the bytes that its file will have. */
  expect(bytes: number): void {
    this.#expected += bytes + ENTRY
    if (this.#expected < WORTH_IT || this.#handed !== undefined) return
    if (!this.#isAsked) this.#ask()
    if (bytes >= LARGE.bytes) this.#ring?.awaitReader(LARGE.patience)
  }

  #ask(): void {
    this.#isAsked = true
    if (availableParallelism() < 2) return
    const ring = createRing()
    this.#ring = new RingWriter(ring, this.#context)
    this.#context.report({ ring } satisfies SecondWriterWanted)
  }

  makeFolders(path: string, owner: Owner): void {
    this.#writer.makeFolders(path, owner)
  }

  folder(parent: string, name: string, attributes: Attributes): void {
    this.#writer.folder(parent, name, attributes)
  }

  openFile(parent: string, name: string): OpenFile {
    return this.#writer.openFile(parent, name)
  }

  link(parent: string, name: string, attributes: Attributes, target: string): void {
    this.#writer.link(parent, name, attributes, target)
  }

  hardLink(parent: string, name: string, source: { readonly folder: string; readonly name: string }): void {
    this.#writer.hardLink(parent, name, source)
  }

  node(parent: string, name: string, attributes: Attributes, device: bigint): void {
    this.#writer.node(parent, name, attributes, device)
  }

  /** Hands over that an entry of the known layer is put into the context; false where that is to be done here. */
  put(path: RawName, node: TarNode): boolean {
    this.expect(0)
    if (this.#writer !== this.#handed) return false
    // of a file its place says all
    this.#handed.other(node.bytes === undefined ? [path, JSON.stringify(node)] : [path])
    return true
  }

  /** Returns once all is there that was written. */
  settle(): void {
    if (this.#handed === undefined) return
    this.#handed.settle()
    this.#root.forget()
  }

  finish(): void {
    this.#own.finish()
    if (this.#handed) this.#handed.finish()
    else this.#ring?.end()
    this.#handed = undefined
    this.#ring = undefined
    this.#root.forget()
  }

  /** Between two entries another one may take over; times of folders that were made here are set here. */
  get #writer(): EntryWriter {
    if (this.#handed === undefined && this.#ring?.isRead) this.#handed = new HandedWriter(this.#ring)
    return this.#handed ?? this.#own
  }
}

/** What the second thread of a context that is received gets. */
export interface WriteInput extends SecondWriterWanted {
  /** Where the context is unpacked; it is there. */
  readonly folder: string
  readonly known?: KnownInput
}

/** Writes what the thread hands over that receives the context: how many records that was. */
export function writeContext({ ring, folder, known }: WriteInput, context: JobContext): number {
  using stack = new DisposableStack()
  const root = stack.use(new ConfinedRoot(folder))
  const layer = known && stack.use(new KnownLayer(known))
  const owner = ownIds()
  return writeHanded(ring, new TreeWriter(root), {
    stopper: context,
    other: ([path, node]) => {
      if (layer === undefined) throw corrupt('cannot put an entry of a layer that nobody knows')
      if (node === undefined) layer.put(String(path), root)
      else putEntry(String(path), JSON.parse(String(node)) as TarNode, layer, { root, owner })
    },
  })
}
