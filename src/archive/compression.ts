import { Readable, type Transform, pipeline } from 'node:stream'
import { constants, createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { type Bytes, EngineError, corrupt, unsupported } from '#base'
import type { Compression } from './types.ts'

/** Turns one stream of bytes into another, as a filter program does. */
export type Filter = (bytes: Bytes) => Bytes

/** Programs that the caller has, to be used instead of node's own (gzip) or where node has nothing (bzip2, xz). */
export interface Filters {
  readonly compress?: Readonly<Partial<Record<Compression, Filter>>>
  readonly decompress?: Readonly<Partial<Record<Compression, Filter>>>
}

/** First bytes that are enough to tell the forms apart. */
const MAGIC_LENGTH = 6

const MAGIC: readonly (readonly [form: Compression, magic: Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['bzip2', Buffer.from('BZh')],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
]

/** The form that these first bytes (six or more, fewer only where there are no more) begin. */
export function detectCompression(head: Uint8Array): Compression {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  const found = MAGIC.find(([, magic]) => bytes.subarray(0, magic.length).equals(magic))
  return found ? found[0] : 'plain'
}

/** The plain bytes, whatever form they come in (told by their first bytes). `corrupt` for broken input. */
export async function* decompress(bytes: Bytes, filters: Filters = {}): Bytes {
  const iterator = bytes[Symbol.asyncIterator]()
  try {
    const head: Uint8Array[] = []
    let size = 0
    while (size < MAGIC_LENGTH) {
      const next = await iterator.next()
      if (next.done) break
      head.push(next.value)
      size += next.value.length
    }
    const form = detectCompression(Buffer.concat(head))
    yield* decompressForm(form, resume(head, iterator), filters)
  } finally {
    await iterator.return?.()
  }
}

async function* resume(head: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): Bytes {
  yield* head
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
}

/** The plain bytes of a stream whose form is known. */
export function decompressForm(form: Compression, bytes: Bytes, filters: Filters = {}): Bytes {
  const filter = filters.decompress?.[form]
  if (filter) return filter(bytes)
  switch (form) {
    case 'plain':
      return bytes
    case 'gzip':
      return through(bytes, createGunzip({ chunkSize: CHUNK }), 'gzip')
    case 'zstd':
      return through(bytes, createZstdDecompress({ chunkSize: CHUNK }), 'zstd')
    case 'bzip2':
    case 'xz':
      throw unsupported(`cannot decompress ${form}: the program is not there`)
  }
}

/** Compresses fast rather than small: gzip and zstd at level 1, unless a filter stands in. */
export function compress(form: 'plain' | 'gzip' | 'zstd', bytes: Bytes, filters: Filters = {}): Bytes {
  const filter = filters.compress?.[form]
  if (filter) return filter(bytes)
  switch (form) {
    case 'plain':
      return bytes
    case 'gzip':
      return through(bytes, createGzip({ level: 1, chunkSize: CHUNK }), 'gzip')
    case 'zstd':
      return through(bytes, createZstdCompress({ params: ZSTD_PARAMETERS, chunkSize: CHUNK }), 'zstd')
  }
}

const CHUNK = 1 << 17
const ZSTD_PARAMETERS = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 }

async function* through(bytes: Bytes, transform: Transform, form: string): Bytes {
  const source = Readable.from(bytes, { objectMode: false })
  // the transform's own iterator hands on every failure: of the source, of zlib, and an early end
  pipeline(source, transform, () => undefined)
  try {
    for await (const chunk of transform) yield chunk
  } catch (error) {
    throw asCorrupt(error, form)
  } finally {
    transform.destroy()
  }
}

/** zlib's complaints about its input are the input's fault; all else is passed on. */
function asCorrupt(error: unknown, form: string): unknown {
  if (error instanceof EngineError || !(error instanceof Error) || !('code' in error)) return error
  const isInput = typeof error.code === 'string' && /^(Z_|ZSTD_error_)/.test(error.code)
  return isInput ? corrupt(`malformed ${form}: ${error.message}`, { cause: error }) : error
}
