import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { type RawName, type TarEntry, type TarSink, componentsOfName, pathOfName, quoteName } from '#archive'
import { errnoOf, invalid } from '#base'
import { descriptorPath, isErrno, makeDevice, makeNode, openInRoot, setTimes, setXattr } from '#kernel'
import { ifThere, isOverlayXattr } from '#store/snapshot'
import { layerFailure } from './failure.ts'
import { UnpackFolders, markOpaque } from './folders.ts'
import { writeWithHoles } from './holes.ts'
import { hideLowerRoot } from './place.ts'

const WHITEOUT_PREFIX = '.wh.'
/** AUFS's own bookkeeping; of it only the mark of an opaque folder has a meaning in layers. */
const AUFS_PREFIX = '.wh..wh.'
const OPAQUE_NAME = '.wh..wh..opq'
/** The largest id; the next one means «leave as it is» to chown. */
const MAX_ID = 0xfffffffe
/** As PATH_MAX: no system call could name what is longer. */
const MAX_PATH = 4095

const O_PATH_FOLDER = 0o10000000 | constants.O_DIRECTORY
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** Where an entry goes: an open folder and a name in it that is never followed. */
interface Place {
  readonly folder: number
  readonly name: string
  readonly at: string | Buffer
}

interface OpenFile {
  readonly entry: TarEntry
  readonly fd: number
  readonly at: string | Buffer
  /** False while the end is a hole, which nothing was written to. */
  isWhole: boolean
}

/** What of a tree depends on the layers below it, where it was unpacked without them. */
export interface OpenEnds {
  /** Real paths (one character a byte) of folders that stood in no entry when they were needed; parents first. */
  readonly assumed: readonly { readonly path: string; readonly isDescribed: boolean }[]
  /** One of them was replaced, or something was put through a link: only unpacking in order tells what is right. */
  readonly disturbed: boolean
  readonly rootIsOpaque: boolean
  /** An entry could not be unpacked, which might be otherwise on the lowers: what there is of the tree is of no use. */
  readonly isRefused: boolean
  /** An entry gave the root its owner and mode. */
  readonly rootIsDescribed: boolean
}

/**
 * Unpacks the entries of a layer into the upper folder of a snapshot; whiteouts (image-spec, layer.md) become those of
 * overlayfs. Nothing outside the folder is touched: parents are looked up inside the root, the last name is never
 * followed, hard links lead only to what is inside. Of two entries with one name the last wins. Every failure is an
 * EngineError that names the entry. Dispose of it in any case. Without lowers it leaves what they decide open.
 */
export class Unpacker implements TarSink, Disposable {
  readonly #folders: UnpackFolders
  readonly #lowers: readonly string[] | undefined
  /** Folders' times, set at the end: what is unpacked into them changes them. */
  readonly #times = new Map<string, bigint>()
  #file: OpenFile | undefined
  #entry: TarEntry | undefined
  #rootIsOpaque = false
  #rootIsDescribed = false
  #disturbed = false
  #content = 0
  readonly #rootLength: number

  constructor(upper: string, lowers: readonly string[] | undefined) {
    this.#lowers = lowers
    this.#folders = new UnpackFolders(upper, lowers)
    this.#rootLength = readlinkSync(descriptorPath(this.#folders.root), { encoding: 'latin1' }).length
  }

  /** Bytes of the files so far. */
  get content(): number {
    return this.#content
  }

  /** True while something was unpacked on a guess of what is below. */
  get isGuess(): boolean {
    return this.#folders.assumed.size > 0
  }

  get ends(): Omit<OpenEnds, 'isRefused'> {
    return {
      assumed: [...this.#folders.assumed].map((path) => ({ path, isDescribed: this.#times.has(`/${path}`) })),
      disturbed: this.#disturbed,
      rootIsOpaque: this.#rootIsOpaque,
      rootIsDescribed: this.#rootIsDescribed,
    }
  }

  entry(entry: TarEntry): void {
    this.#entry = entry
    this.#content += entry.size
    this.#guard(() => this.#unpack(entry))
  }

  body(chunk: Buffer, offset: number): void {
    const file = this.#file
    if (!file) return
    this.#guard(() => (file.isWhole = writeWithHoles(file.fd, chunk, offset)))
  }

  end(): void {
    const file = this.#file
    if (!file) return
    this.#guard(() => this.#closeFile(file))
  }

  /** After the last entry. */
  finish(): void {
    this.#guard(() => {
      if (this.#rootIsOpaque && this.#lowers) hideLowerRoot(this.#folders.root, this.#lowers)
      for (const [path, mtime] of this.#times) this.#setFolderTime(path, mtime)
    })
  }

  [Symbol.dispose](): void {
    if (this.#file) closeSync(this.#file.fd)
    this.#file = undefined
    this.#folders[Symbol.dispose]()
  }

  #guard(work: () => unknown): void {
    try {
      work()
    } catch (error) {
      throw layerFailure(`cannot unpack entry ${quoteName(this.#entry?.path ?? '')}`, error)
    }
  }

  #unpack(entry: TarEntry): void {
    this.#folders.settle()
    if (entry.path.length > MAX_PATH) throw invalid(`entry ${quoteName(entry.path)} has a name that is too long`)
    if (entry.uid > MAX_ID || entry.gid > MAX_ID)
      throw invalid(`entry ${quoteName(entry.path)} has an impossible owner`)
    const components = componentsOfName(entry.path)
    const name = components.at(-1)
    if (components.slice(0, -1).some((part) => part.startsWith(WHITEOUT_PREFIX))) {
      if (components.some((part) => part.startsWith(AUFS_PREFIX))) return
      throw invalid(`entry ${quoteName(entry.path)} is in a folder named like a whiteout`)
    }
    if (name === undefined) this.#unpackRoot(entry)
    else if (name.startsWith(WHITEOUT_PREFIX)) this.#unpackWhiteout(components, name)
    else this.#make(entry, this.#place(components, name))
  }

  #place(components: readonly string[], name: string): Place {
    const folder = this.#folders.get(components.slice(0, -1))
    return { folder, name, at: pathOfName(`${descriptorPath(folder)}/${name}`) }
  }

  #unpackRoot(entry: TarEntry): void {
    if (entry.kind !== 'directory') throw invalid(`entry ${quoteName(entry.path)} would replace the root`)
    this.#rootIsDescribed = true
    this.#setFolder(entry, `${descriptorPath(this.#folders.root)}/.`, this.#folders.root, '.')
  }

  #unpackWhiteout(components: readonly string[], name: string): void {
    if (name === OPAQUE_NAME) {
      const folder = this.#folders.get(components.slice(0, -1))
      if (folder === this.#folders.root) this.#rootIsOpaque = true
      else this.#makeOpaque(folder)
      return
    }
    if (name.startsWith(AUFS_PREFIX)) return
    const hidden = name.slice(WHITEOUT_PREFIX.length)
    if (hidden === '' || hidden === '.' || hidden === '..') throw invalid(`whiteout ${quoteName(name)} names nothing`)
    const { at } = this.#place(components, hidden)
    this.#create(at, () => makeNode(at, constants.S_IFCHR, 0))
  }

  #makeOpaque(folder: number): void {
    markOpaque(`${descriptorPath(folder)}/.`)
    // what was put below it before may have been meant for a folder that shows no more
    if (this.isGuess) this.#disturbed = true
  }

  #make(entry: TarEntry, place: Place): void {
    const { at } = place
    switch (entry.kind) {
      case 'directory':
        this.#makeFolder(at)
        this.#setFolder(entry, at, place.folder, place.name)
        break
      case 'file':
        this.#file = { entry, at, isWhole: true, fd: this.#create(at, () => openSync(at, NEW_FILE, 0o600)) }
        break
      case 'hardlink':
        this.#makeHardLink(entry, at)
        break
      case 'symlink':
        this.#create(at, () => symlinkSync(pathOfName(entry.link), at))
        setOwner(entry, at)
        setTimes(at, entry.mtime, entry.mtime)
        break
      case 'character':
      case 'block':
      case 'fifo':
        this.#makeNode(entry, at, entry.kind)
        break
    }
  }

  #makeNode(entry: TarEntry, at: string | Buffer, kind: keyof typeof NODE_TYPES): void {
    this.#create(at, () => makeNode(at, NODE_TYPES[kind], deviceOf(entry)))
    setOwner(entry, at)
    setTimes(at, entry.mtime, entry.mtime)
  }

  #makeHardLink(entry: TarEntry, at: string | Buffer): void {
    const target = this.#findTarget(entry.link)
    const stat = target && ifThere(() => lstatSync(target))
    if (!target || !stat || stat.isDirectory()) {
      throw invalid(
        `hard link ${quoteName(entry.path)} leads to ${quoteName(entry.link)}, which is no file of this layer`,
      )
    }
    const here = ifThere(() => lstatSync(at))
    if (here?.ino === stat.ino) return
    this.#create(at, () => linkSync(target, at))
  }

  #findTarget(link: RawName): string | Buffer | undefined {
    const components = componentsOfName(link)
    const name = components.at(-1)
    const folder = this.#folders.find(components.slice(0, -1))
    return name === undefined || folder === undefined ? undefined : pathOfName(`${descriptorPath(folder)}/${name}`)
  }

  /** Makes something new; what the same layer put there before goes first. */
  #create<T>(at: string | Buffer, make: () => T): T {
    try {
      return make()
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
    }
    this.#remove(at)
    return make()
  }

  #remove(at: string | Buffer): void {
    const stat = lstatSync(at)
    if (stat.isDirectory() || stat.isSymbolicLink()) this.#folders.forget()
    if (stat.isDirectory() && this.isGuess) this.#disturbed = true
    if (stat.isDirectory()) rmSync(at, { recursive: true })
    else unlinkSync(at)
  }

  #makeFolder(at: string | Buffer): void {
    try {
      mkdirSync(at, 0o700)
      return
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
    }
    if (lstatSync(at).isDirectory()) return
    this.#remove(at)
    mkdirSync(at, 0o700)
    // what was there hid the lower folder, and so must what replaces it
    markOpaque(at)
  }

  #setFolder(entry: TarEntry, at: string | Buffer, folder: number, name: string): void {
    setOwner(entry, at)
    this.#times.set(`${this.#realPath(folder)}/${name}`, entry.mtime)
  }

  /** From the root, links resolved: folders' times are set by it at the end, again inside the root. */
  #realPath(folder: number): string {
    if (folder === this.#folders.root) return ''
    return readlinkSync(descriptorPath(folder), { encoding: 'latin1' }).slice(this.#rootLength)
  }

  #setFolderTime(path: string, mtime: bigint): void {
    const fd = ifThere(() => openInRoot(this.#folders.root, pathOfName(path), O_PATH_FOLDER))
    if (fd === undefined) return
    try {
      setTimes(`${descriptorPath(fd)}/.`, mtime, mtime)
    } finally {
      closeSync(fd)
    }
  }

  #closeFile({ entry, fd, at, isWhole }: OpenFile): void {
    if (!isWhole || entry.sparse) ftruncateSync(fd, entry.size)
    fchownSync(fd, entry.uid, entry.gid)
    // chown takes the setuid bits and capabilities away, so they come after it
    fchmodSync(fd, entry.mode)
    setXattrs(entry, at)
    this.#file = undefined
    closeSync(fd)
    setTimes(at, entry.mtime, entry.mtime)
  }
}

/** Owner, mode and xattrs of an entry that is no file. */
function setOwner(entry: TarEntry, at: string | Buffer): void {
  lchownSync(at, entry.uid, entry.gid)
  if (entry.kind !== 'symlink') chmodSync(at, entry.mode)
  setXattrs(entry, at)
}

/** Overlay's own attributes of a made-up layer are left out: they would change what the mount shows. */
function setXattrs(entry: TarEntry, at: string | Buffer): void {
  for (const [name, value] of entry.xattrs) {
    if (isOverlayXattr(name)) continue
    try {
      setXattr(at, name, value)
    } catch (error) {
      // neither this file system nor, for user.*, this kind of entry has such attributes: other engines go on too
      const isUser = name.startsWith('user.') && entry.kind !== 'file' && entry.kind !== 'directory'
      if (!isErrno(error, 'ENOTSUP') && !(isUser && isErrno(error, 'EPERM'))) throw error
    }
  }
}

const NODE_TYPES = { character: constants.S_IFCHR, block: constants.S_IFBLK, fifo: constants.S_IFIFO } as const

function deviceOf({ path, major, minor }: TarEntry): number {
  if (major > 0xfff || minor > 0xfffff) throw invalid(`entry ${quoteName(path)} has an impossible device number`)
  return makeDevice(major, minor)
}
