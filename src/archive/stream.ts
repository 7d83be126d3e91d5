import { type Bytes, invalid } from '#base'
import { TarReader } from './reader.ts'
import { TarWriter } from './writer.ts'
import type { TarEntry, TarInput } from './types.ts'

/** An entry of a tar that is being read. */
export interface TarMember extends TarEntry {
  /** The file's bytes, holes as zeros; to be read before the next member is asked for, else they are skipped. */
  readonly body: Bytes
}

type Event =
  | { readonly kind: 'entry'; readonly entry: TarEntry }
  | { readonly kind: 'body'; readonly chunk: Buffer; readonly offset: number }
  | { readonly kind: 'end' }

/** The members of a plain tar, in order. Throws `corrupt` for malformed input. Reads on to the end of `bytes`. */
export async function* readTar(bytes: Bytes): AsyncGenerator<TarMember, void, undefined> {
  const events = readEvents(bytes)
  let current: TarEntry | undefined
  try {
    for (let event = await events.next(); event.value; event = await events.next()) {
      if (event.value.kind !== 'entry') continue
      const { entry } = event.value
      current = entry
      yield { ...entry, body: readBody(events, entry.size, () => current === entry) }
    }
  } finally {
    await events.return(undefined)
  }
}

async function* readEvents(bytes: Bytes): AsyncGenerator<Event, undefined, undefined> {
  let events: Event[] = []
  const reader = new TarReader({
    entry: (entry) => events.push({ kind: 'entry', entry }),
    body: (chunk, offset) => events.push({ kind: 'body', chunk, offset }),
    end: () => events.push({ kind: 'end' }),
  })
  for await (const chunk of bytes) {
    reader.push(chunk)
    const ready = events
    events = []
    yield* ready
  }
  reader.finish()
  return undefined
}

const ZEROS = new Uint8Array(1 << 16)

async function* readBody(
  events: AsyncGenerator<Event, undefined, undefined>,
  size: number,
  isCurrent: () => boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (!isCurrent()) throw invalid('cannot read a tar member: the next one was asked for already')
  let position = 0
  for (;;) {
    const { value } = await events.next()
    if (value?.kind !== 'body') break
    yield* zeros(value.offset - position)
    yield value.chunk
    position = value.offset + value.chunk.length
  }
  yield* zeros(size - position)
}

function* zeros(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, Math.min(left, ZEROS.length))
}

/** A member to be written: a stream has just `size` bytes; for a buffer its length counts. */
export interface TarSource extends TarInput {
  readonly body?: Bytes | Uint8Array
}

/** The tar of these members, by the writer's current rule set. Throws `invalid` where a body does not fit its size. */
export async function* writeTar(members: AsyncIterable<TarSource> | Iterable<TarSource>): Bytes {
  let chunks: Buffer[] = []
  let source: ArrayBufferLike | undefined
  // what lies in the writer's own buffer is copied; a chunk that the source gave is handed on as it is
  const writer = new TarWriter((chunk) => chunks.push(chunk.buffer === source ? chunk : Buffer.from(chunk)))
  const flush = (): Buffer[] => {
    const ready = chunks
    chunks = []
    return ready
  }
  for await (const { body = new Uint8Array(), ...member } of members) {
    if (body instanceof Uint8Array) {
      writer.entry({ ...member, size: body.length })
      source = body.buffer
      writer.body(body)
      yield* flush()
      continue
    }
    writer.entry(member)
    for await (const chunk of body) {
      source = chunk.buffer
      writer.body(chunk)
      yield* flush()
    }
  }
  writer.finish()
  yield* flush()
}
