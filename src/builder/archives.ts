import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Bytes, invalid, isKind, shortId } from '#base'
import { decompress, detectCompression } from '#archive'
import type { Head, HeadOutput, OpenInput, SourceInput } from '#builder/files'
import type { Session } from './session.ts'

/** Sources of ADD that are archives, as plain tar files that go with this. */
export interface FoundArchives extends AsyncDisposable {
  /** Raw places below the source folder. */
  readonly places: readonly string[]
  readonly files: readonly string[]
}

/** Looks at the first bytes of each source that is one file (contents tell an archive, not names). */
export async function archivesOf(session: Session, source: SourceInput): Promise<FoundArchives> {
  const { heads } = await session.parts.pool.run<SourceInput, HeadOutput>('builder.heads', source, session.reading)
  const home = join(session.folder, 'contexts', `add-${shortId()}`)
  const places: string[] = []
  const files: string[] = []
  try {
    for (const found of heads) {
      const { place, head } = found
      if (detectCompression(head) === 'plain' && !isTarHeader(head)) continue
      const file = await plainTar(session, { source, found, home, index: files.length })
      if (file === undefined) continue
      places.push(place)
      files.push(file)
    }
  } catch (error) {
    await rm(home, { recursive: true, force: true })
    throw error
  }
  return { places, files, [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }) }
}

interface PlainTar {
  readonly source: SourceInput
  readonly found: Head
  readonly home: string
  readonly index: number
}

/** The archive without its compression; undefined where that is no tar: then the file is copied as it is. */
async function plainTar(session: Session, { source, found, home, index }: PlainTar): Promise<string | undefined> {
  await mkdir(home, { recursive: true, mode: 0o700 })
  const file = join(home, `${index}.tar`)
  const bytes = await openFile(session, { folder: source.folder, place: found.place })
  try {
    await pipeline(decompress(bytes, session.parts.filters), createWriteStream(file, { mode: 0o600 }), {
      signal: session.signal,
    })
  } catch (error) {
    if (isKind(error, 'corrupt')) return undefined
    throw error
  }
  const handle = await open(file)
  try {
    const head = Buffer.alloc(BLOCK)
    await handle.read(head)
    return isTarHeader(head) ? file : undefined
  } finally {
    await handle.close()
  }
}

/** The folder's file system may not answer: it is opened by a job. */
async function openFile({ parts, reading }: Session, input: OpenInput): Promise<Bytes> {
  const fd = await parts.pool.run<OpenInput, number | undefined>('builder.open', input, reading)
  if (fd === undefined) throw invalid(`${input.place} is not there any more`)
  return createReadStream('', { fd })
}

const BLOCK = 512
const SUM_AT = 148
const SUM_LENGTH = 8

/** A block whose checksum is right (pax, ustar and older forms alike). */
function isTarHeader(block: Uint8Array): boolean {
  if (block.length < BLOCK) return false
  const written = Buffer.from(block.subarray(SUM_AT, SUM_AT + SUM_LENGTH)).toString('latin1')
  const [digits] = /[0-7]+/.exec(written) ?? []
  if (digits === undefined) return false
  let sum = 0
  for (let at = 0; at < BLOCK; at += 1) sum += at >= SUM_AT && at < SUM_AT + SUM_LENGTH ? 32 : (block[at] ?? 0)
  return sum === Number.parseInt(digits, 8)
}
