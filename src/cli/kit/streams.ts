import type { Bytes } from '#base'
import type { Hijacked } from '#client'
import { decodeFrames } from '#wire'
import type { Io, Output } from './command.ts'

interface StreamOptions {
  readonly io: Io
  /** Send this process's stdin. */
  readonly input: boolean
  /** The sequence that leaves a container running; undefined where nothing detaches. */
  readonly detachKeys?: Uint8Array | undefined
}

/**
 * Joins an attached process with this one's streams, until its output ends or the user detaches. End of input is passed
 * on and output still flows after it.
 */
export async function connectStreams(
  stream: Hijacked,
  { io, input, detachKeys }: StreamOptions,
): Promise<'ended' | 'detached'> {
  const detached = input ? sendInput(stream, io, detachKeys) : neverDetached()
  const ended = receive(stream, io).then(() => 'ended' as const)
  return await Promise.race([ended, detached])
}

function neverDetached(): Promise<'detached'> {
  return new Promise(() => undefined)
}

async function receive(stream: Hijacked, io: Io): Promise<void> {
  if (stream.multiplexed) await writeFrames(io, stream.output)
  else await writeAll(io.stdout, stream.output)
}

/** Every byte as it comes, no faster than its reader takes it. */
export async function writeAll(output: Output, bytes: Bytes): Promise<void> {
  for await (const chunk of bytes) {
    output.write(chunk)
    await output.drained()
  }
}

/** Frames of stdout and stderr to where they belong, as `writeAll`. */
export async function writeFrames(io: Io, frames: Bytes): Promise<void> {
  for await (const { stream, bytes } of decodeFrames(frames)) {
    const output = stream === 'stderr' ? io.stderr : io.stdout
    output.write(bytes)
    await output.drained()
  }
}

/** Resolves only when the user detaches: the end of input does not end the process. */
async function sendInput(stream: Hijacked, io: Io, keys: Uint8Array | undefined): Promise<'detached'> {
  const scan = createDetachScan(keys)
  for await (const chunk of io.stdin.bytes) {
    const { pass, detached } = scan(chunk)
    // The process may have ended meanwhile: its output says so, not its input.
    if (pass.length > 0) await stream.write(pass).catch(() => undefined)
    if (detached) return 'detached'
  }
  stream.closeInput()
  return await neverDetached()
}

/** Holds back what may be the beginning of the sequence, and lets it go when it is not. */
export function createDetachScan(
  keys: Uint8Array | undefined,
): (chunk: Uint8Array) => { readonly pass: Uint8Array; readonly detached: boolean } {
  let matched = 0
  return (chunk) => {
    if (!keys || keys.length === 0) return { pass: chunk, detached: false }
    const pass: number[] = []
    for (const byte of chunk) {
      if (byte !== keys[matched]) {
        pass.push(...keys.subarray(0, matched))
        matched = 0
      }
      if (byte === keys[matched]) matched += 1
      else pass.push(byte)
      if (matched === keys.length) return { pass: Uint8Array.from(pass), detached: true }
    }
    return { pass: Uint8Array.from(pass), detached: false }
  }
}
