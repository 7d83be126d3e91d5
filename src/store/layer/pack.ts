import { closeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { constants as osConstants } from 'node:os'
import { compress, decompress, type Compression } from '#archive'
import { type Bytes, corrupt, throwIfCancelled } from '#base'
import { createPipe, killProcess, type Lane, spawnProcess } from '#kernel'
import { type Descriptor, type Digest, MEDIA_TYPES, layerCompression, parseDigest } from '#oci'
import type { Ingest } from '#store/content'
import type { Lease } from '#store/lease'
import { readFrom } from './lines.ts'
import type { PackInput, Stream, TarFacts } from './jobs.ts'
import { type Program, checkExit, filtersOf } from './program.ts'
import type { LayerForm, LayerOptions, LayerRecord } from './types.ts'

const TYPES: Readonly<Record<LayerForm, string>> = {
  tar: MEDIA_TYPES.ociLayer,
  gzip: MEDIA_TYPES.ociLayerGzip,
  zstd: MEDIA_TYPES.ociLayerZstd,
}

const FORMS: Readonly<Record<LayerForm, Compression & ('plain' | 'gzip' | 'zstd')>> = {
  tar: 'plain',
  gzip: 'gzip',
  zstd: 'zstd',
}

/** The layer's known blobs whose bytes are here. */
async function presentBlobs({ content }: LayerOptions, layer: LayerRecord): Promise<readonly Descriptor[]> {
  const found = await Promise.all(layer.blobs.map((blob) => content.find(blob.digest)))
  return layer.blobs.filter((_, index) => found[index] !== undefined)
}

/** A known blob of that form, or a new one. */
export async function packLayer(
  options: LayerOptions,
  layer: LayerRecord,
  {
    form,
    lease,
    signal,
  }: { readonly form: LayerForm; readonly lease: Lease; readonly signal?: AbortSignal | undefined },
): Promise<Descriptor> {
  for (const blob of layer.blobs) lease.hold({ kind: 'blob', id: blob.digest })
  const wanted = form === 'tar' ? 'none' : form
  const known = (await presentBlobs(options, layer)).find((blob) => layerCompression(blob.mediaType) === wanted)
  if (known) return known
  const key = `layer ${layer.diffId} ${form}`
  await using ingest = await options.content.begin(key, lease, { resume: false })
  await fill({ options, layer, form, ingest, signal })
  const { digest, size } = await ingest.commit()
  return { mediaType: TYPES[form], digest, size }
}

interface Packing {
  readonly options: LayerOptions
  readonly layer: LayerRecord
  readonly form: LayerForm
  readonly ingest: Ingest
  readonly signal: AbortSignal | undefined
}

async function fill(packing: Packing): Promise<void> {
  const { options, layer, form, ingest, signal } = packing
  const program = options.programs.compress[FORMS[form]]
  const present = await presentBlobs(options, layer)
  const plain = present.find((blob) => blob.digest === parseDigest(layer.diffId))
  const fromTree = present.length === 0
  if (fromTree && form === 'tar') await writeTree(packing, { path: ingest.path })
  else if (fromTree && program) await compressTree(packing, program)
  else if (plain && program) await compressBlob(packing, program, plain.digest)
  else {
    const packed = compress(FORMS[form], layerTar(options, layer, signal), filtersOf(options.programs))
    for await (const chunk of packed) await ingest.write(chunk)
  }
}

/** The tree's tar into a file or pipe, by a worker. */
async function writeTree(
  { options, layer, signal }: Omit<Packing, 'form' | 'ingest'>,
  to: Stream,
  lane: Lane = 'bulk',
): Promise<void> {
  const { snapshots, jobs } = options
  const { upper, parent } = await snapshots.get(layer.snapshot)
  const below = parent === undefined ? undefined : (await snapshots.get(parent)).upper
  const input: PackInput = { to, upper, below, diffId: layer.diffId }
  await jobs.run<PackInput, TarFacts>('layer.pack', input, { lane, ...(signal && { signal }) })
}

/** From the worker through the program into the ingest's file: no byte passes this thread. */
async function compressTree(packing: Packing, program: Program): Promise<void> {
  await using output = await open(packing.ingest.path, 'w')
  const pipe = createPipe()
  try {
    const child = startFrom(program, pipe, output.fd)
    try {
      await writeTree(packing, { fd: pipe.to })
    } finally {
      closeSync(pipe.to)
      await child.exited
    }
    await checkExit(program, child)
  } finally {
    closeSync(pipe.from)
  }
}

/** From the plain blob's file through the program into the ingest's; a worker looks that the blob is whole meanwhile. */
async function compressBlob({ options, ingest, signal }: Packing, program: Program, plain: Digest): Promise<void> {
  const { content } = options
  await using input = await open(await content.path(plain), 'r')
  await using output = await open(ingest.path, 'w')
  const child = spawnProcess({ ...program, stdio: [input.fd, output.fd, 'ignore'] })
  const kill = (): void => void killProcess(child.pid, osConstants.signals.SIGKILL)
  signal?.addEventListener('abort', kill, { once: true })
  try {
    const damage = await content.check(plain, signal)
    if (damage !== undefined) throw corrupt(`cannot pack layer ${plain}: ${damage}`)
    await child.exited
    throwIfCancelled(signal, `pack of layer ${plain}`)
    await checkExit(program, child)
  } finally {
    signal?.removeEventListener('abort', kill)
    kill()
    await child.exited
  }
}

function startFrom(program: Program, pipe: { readonly from: number; readonly to: number }, output: number) {
  try {
    return spawnProcess({ ...program, stdio: [pipe.from, output, 'ignore'] })
  } catch (error) {
    closeSync(pipe.to)
    throw error
  }
}

/** The plain tar of a layer: of a blob that is here, else of its tree. */
export async function* layerTar(options: LayerOptions, layer: LayerRecord, signal?: AbortSignal): Bytes {
  const [blob] = await presentBlobs(options, layer)
  if (blob) yield* decompress(options.content.read(blob.digest), filtersOf(options.programs))
  else yield* treeTar(options, layer, signal)
}

function treeTar(options: LayerOptions, layer: LayerRecord, signal: AbortSignal | undefined): Bytes {
  return readFrom((fd) => writeTree({ options, layer, signal }, { fd }, 'stream'))
}
