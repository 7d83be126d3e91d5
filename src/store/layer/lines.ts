import { closeSync } from 'node:fs'
import { type Bytes, internal } from '#base'
import { createPipe, readDescriptor } from '#kernel'

/** What a job writes into a pipe, as it comes; at the end its failure, if it failed. */
export async function* readFrom(write: (fd: number) => Promise<void>): Bytes {
  const pipe = createPipe()
  let open = true
  const close = (): void => {
    if (open) closeSync(pipe.from)
    open = false
  }
  const written = write(pipe.to).finally(() => closeSync(pipe.to))
  written.catch(() => undefined)
  try {
    yield* readDescriptor(pipe.from)
    await written
  } finally {
    // a reader that leaves early ends the writer by EPIPE
    close()
    await Promise.allSettled([written])
  }
}

/** The values of lines of JSON that a job of this program writes; `T` is what it is known to write. */
export async function* readLines<T>(write: (fd: number) => Promise<void>): AsyncIterable<T> {
  let rest = Buffer.alloc(0)
  for await (const chunk of readFrom(write)) {
    const bytes = Buffer.concat([rest, chunk])
    const end = bytes.lastIndexOf(0x0a)
    rest = bytes.subarray(end + 1)
    if (end < 0) continue
    for (const line of bytes.toString('utf8', 0, end).split('\n')) yield parseLine<T>(line)
  }
  if (rest.length > 0) throw internal('cannot read what a job writes: its last line is cut')
}

function parseLine<T>(line: string): T {
  return JSON.parse(line) as T
}
