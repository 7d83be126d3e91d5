import { watch } from 'node:fs'
import { sleep } from '#base'
import type { LogFiles } from './log-files.ts'

/** How often a log that grows is measured. Milliseconds. */
const MEASURE_EVERY = 50
/** A log that has not grown for so many measurements is only watched. */
const QUIET_AFTER = 20
/** Where inotify is silent a log that is only watched is measured all the same. Milliseconds. */
const LOOK_EVERY = 10_000
/** So long the writer may take to follow a daemon that was killed in the middle, before it is told once more. Milliseconds. */
const FOLLOWS_WITHIN = 2000

export interface KeeperOptions {
  readonly files: LogFiles
  /** Bytes of the newest beyond which it is put aside. */
  readonly maxSize: number
  /** Has the writer begin a new file; false where it cannot be told. */
  readonly reopen: () => boolean
  readonly failed: (error: unknown) => void
}

/** Keeps the log of a running container within its limits until it is disposed. */
export function keepLog(options: KeeperOptions): Disposable {
  const stopping = new AbortController()
  const { signal } = stopping
  keep(options, signal).catch((error: unknown) => (signal.aborted ? undefined : options.failed(error)))
  return {
    [Symbol.dispose]: () => stopping.abort(),
  }
}

async function keep(options: KeeperOptions, signal: AbortSignal): Promise<void> {
  const { files, reopen } = options
  if (files.isBetween()) {
    await sleep(FOLLOWS_WITHIN, signal)
    if (files.isBetween()) reopen()
  }
  for (let size = await measure(options); ; size = await whileGrowing(options, signal)) {
    await grown(options, size, signal)
  }
}

/** Returns once the log stands still, with its size. */
async function whileGrowing(options: KeeperOptions, signal: AbortSignal): Promise<number | undefined> {
  let before: number | undefined
  for (let quiet = 0; quiet < QUIET_AFTER; quiet += 1) {
    await sleep(MEASURE_EVERY, signal)
    const size = await measure(options, signal)
    if (size !== before) quiet = 0
    before = size
  }
  return before
}

/** The size of the newest file, which is put aside where it is large enough. */
async function measure({ files, maxSize, reopen }: KeeperOptions, signal?: AbortSignal): Promise<number | undefined> {
  const size = await files.size()
  if (size !== undefined && size >= maxSize && !signal?.aborted) files.rotate(reopen)
  await files.trim()
  return size
}

/** Resolves when something changes in the folder, or the log is found with another size than it had. */
async function grown(options: KeeperOptions, before: number | undefined, signal: AbortSignal): Promise<void> {
  const told = Promise.withResolvers<'told'>()
  const watcher = watchFolder(options.files.folder, () => told.resolve('told'))
  try {
    // measured once the watch has begun: what was written before is told by nobody
    while ((await measure(options, signal)) === before) {
      if ((await toldWithin(told.promise, signal)) === 'told') return
    }
  } finally {
    watcher?.close()
  }
}

async function toldWithin(told: Promise<'told'>, signal: AbortSignal): Promise<'told' | undefined> {
  const late = new AbortController()
  try {
    return (await Promise.race([told, sleep(LOOK_EVERY, AbortSignal.any([signal, late.signal]))])) ?? undefined
  } finally {
    late.abort()
  }
}

function watchFolder(folder: string, changed: () => void): { close(): void } | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, changed)
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    // No watch to be had: then it is looked at now and again.
    return undefined
  }
}
