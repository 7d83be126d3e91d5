import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, rm, utimes } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Bytes, EngineError, invalid, shortId, unsupported } from '#base'
import type { CopyInstruction } from '#dockerfile'
import { isDigest } from '#oci'
import type { SourceInput } from '#builder/files'
import type { StepSite } from './session.ts'
import type { FetchedFile } from './types.ts'

/** What was fetched from the web for an ADD; gone when it is disposed of. */
export interface Downloads extends AsyncDisposable {
  /** One for each address, in order. */
  readonly inputs: readonly SourceInput[]
}

/** Only that user reads what came from the web, unless `--chmod` says more. */
const FILE_MODE = 0o600
const MAX_NAME = 255
/** The name of what has none, where the destination has one. */
const UNNAMED = '__unnamed__'
/** Bytes between two progress lines. */
const PROGRESS_STEP = 512 << 10

export function isWebAddress(source: string): boolean {
  return /^https?:\/\//.test(source)
}

/** Of ADD: a repository, which is not the file at that address. */
export function isGitAddress(source: string): boolean {
  return /^(git|ssh):\/\//.test(source) || /^git@[^/]+:/.test(source) || /^https?:\/\/[^?#]+\.git(#|$)/.test(source)
}

/** Fetches the web sources of an ADD, each into a folder of its own. Throws where `--checksum` names other bytes. */
export async function downloadSources(site: StepSite, node: CopyInstruction): Promise<Downloads> {
  const addresses = node.sources.filter((source) => isWebAddress(source))
  if (node.kind === 'copy' && addresses.length > 0) throw invalid("COPY failed: source can't be a URL for COPY")
  checkChecksum(node, addresses)
  if (addresses.length === 0) return { inputs: [], async [Symbol.asyncDispose]() {} }
  const home = join(site.session.folder, 'contexts', `web-${shortId()}`)
  const remove = (): Promise<void> => rm(home, { recursive: true, force: true })
  try {
    const inputs: SourceInput[] = []
    for (const [index, address] of addresses.entries())
      inputs.push(await download(site, node, { address, folder: join(home, String(index)) }))
    return { inputs, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    throw error instanceof EngineError && error.kind !== 'cancelled'
      ? new EngineError(error.kind, `ADD failed: ${error.message}`, { cause: error })
      : error
  }
}

function checkChecksum({ checksum, sources }: CopyInstruction, addresses: readonly string[]): void {
  if (checksum === undefined) return
  if (addresses.length !== sources.length) throw invalid('checksum requires HTTP(S) or Git sources')
  if (addresses.length !== 1) throw invalid('checksum requires one single HTTP(S) or Git source')
  if (!isDigest(checksum)) throw invalid(`invalid checksum digest format: ${checksum}`)
}

interface Wanted {
  readonly address: string
  readonly folder: string
}

async function download(site: StepSite, node: CopyInstruction, { address, folder }: Wanted): Promise<SourceInput> {
  const { session, step } = site
  const fetch = session.parts.fetch
  if (fetch === undefined) throw unsupported(`ADD ${address}: this builder has no way to the web`)
  await using found = await fetch(address, session.signal)
  const name = nameOf(address, found)
  if (name === undefined && node.destination.endsWith('/'))
    throw invalid(`cannot determine filename for source ${address}`)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, name ?? UNNAMED)
  const hash = createHash('sha256')
  const report = (current: number, total: number | undefined): void =>
    session.emit({
      kind: 'pull',
      step: step.number,
      progress: { status: 'Downloading', current, ...(total !== undefined && { total }) },
    })
  await pipeline(metered(found, hash, report), createWriteStream(file, { mode: FILE_MODE, flags: 'wx' }), {
    signal: session.signal,
  })
  session.emit({ kind: 'output', step: step.number, stream: 'stdout', bytes: Buffer.from('\n') })
  const digest = `sha256:${hash.digest('hex')}`
  if (node.checksum !== undefined && node.checksum !== digest)
    throw invalid(`digest mismatch ${digest}: ${node.checksum}`)
  const seconds = (found.lastModified ?? 0) / 1000
  await utimes(file, seconds, seconds)
  return { folder, sources: [escapeName(name ?? UNNAMED)], excludes: node.excludes, keepOwners: false }
}

type Report = (current: number, total: number | undefined) => void

async function* metered(found: FetchedFile, hash: { update(bytes: Uint8Array): unknown }, report: Report): Bytes {
  let current = 0
  let said = 0
  for await (const chunk of found.body) {
    hash.update(chunk)
    current += chunk.length
    if (current - said >= PROGRESS_STEP) {
      said = current
      report(current, found.length)
    }
    yield chunk
  }
  if (current !== said) report(current, found.length)
}

/** The last part of the address's path, else what the server calls it. */
function nameOf(address: string, found: FetchedFile): string | undefined {
  const { pathname } = new URL(address)
  const last = pathname.endsWith('/') ? '' : decoded(posix.basename(pathname))
  const name = last === '' ? (found.name ?? '') : last
  if (name === '') return undefined
  if (name === '.' || name === '..' || /[/\0]/.test(name) || Buffer.byteLength(name) > MAX_NAME)
    throw invalid(`cannot determine filename for source ${address}`)
  return name
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A name as a source that means just that name. */
function escapeName(name: string): string {
  return name.replace(/[\\*?[]/g, String.raw`\$&`)
}
