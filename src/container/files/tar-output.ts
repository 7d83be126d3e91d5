import { type JobContext, sendFileWaiting, writeWaiting } from '#kernel'
import type { SendFile } from '#store/layer'

/** Where a job puts a tar. */
export interface TarOutput {
  /** A pipe's end or a client's connection; the caller closes it. */
  readonly fd: number
  /** As chunks of HTTP/1.1 (RFC 9112, 7.1); the last, empty one is left to the caller. */
  readonly chunked?: boolean
}

const BREAK = '\r\n'

/** Writes that wait for the other end; large files are sent without being copied. */
export function tarOutput(
  { fd, chunked = false }: TarOutput,
  context: JobContext,
): { readonly put: (chunk: Buffer) => void; readonly send: SendFile } {
  const write = (bytes: Buffer): void => writeWaiting(fd, bytes, context)
  const sendFile = (from: number, length: number): number => sendFileWaiting(from, fd, { length, stopper: context })
  if (!chunked) return { put: write, send: sendFile }
  return {
    put(chunk) {
      if (chunk.length > 0) write(Buffer.concat([sizeLine(chunk.length), chunk, Buffer.from(BREAK)]))
    },
    send(from, length) {
      write(sizeLine(length))
      const sent = sendFile(from, length)
      if (sent === length) write(Buffer.from(BREAK))
      return sent
    },
  }
}

function sizeLine(length: number): Buffer {
  return Buffer.from(`${length.toString(16)}${BREAK}`)
}
