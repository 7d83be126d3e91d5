import { writeSync } from 'node:fs'

/** Holes are made of whole blocks of the file system. */
const PAGE = 4096
const ZERO_PAGE = Buffer.alloc(PAGE)

/**
 * Writes a chunk of a new file at `offset` but for its pages of zeros: a file with holes stands plain in a layer, and gets its
 * holes back. False where the chunk ends in a hole: then the file may still have to be made as long as it should be.
 */
export function writeWithHoles(fd: number, chunk: Buffer, offset: number): boolean {
  let from = 0
  let end = Math.min(PAGE - (offset % PAGE), chunk.length)
  for (let at = 0; at < chunk.length; at = end, end = Math.min(at + PAGE, chunk.length)) {
    if (chunk[at] !== 0 || ZERO_PAGE.compare(chunk, at, end, 0, end - at) !== 0) continue
    writeRange(fd, chunk, { from, to: at, offset })
    from = end
  }
  writeRange(fd, chunk, { from, to: chunk.length, offset })
  return from < chunk.length
}

function writeRange(
  fd: number,
  chunk: Buffer,
  { from, to, offset }: { readonly from: number; readonly to: number; readonly offset: number },
): void {
  for (let done = from; done < to;) done += writeSync(fd, chunk, done, to - done, offset + done)
}
