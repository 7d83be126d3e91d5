import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import type { Bytes } from '#base'
import type { Output } from '#cli/kit'
import { formatSize } from '#wire'

/** A terminal is told anew after so many bytes, as docker's client does. */
const STEP = 512 << 10

/** The same bytes, with a line on how many have been sent; elsewhere than on a terminal it is said once, at the end. */
export async function* counted(bytes: Bytes, output: Output): Bytes {
  const say = (end: string): void =>
    output.write(`${output.terminal ? '\r' : ''}Sending build context to mica daemon  ${formatSize(sent, 4)}${end}`)
  let sent = 0
  let said = 0
  for await (const chunk of bytes) {
    yield chunk
    sent += chunk.length
    if (!output.terminal || sent - said < STEP) continue
    said = sent
    say('')
  }
  say('\n')
}

/** As gzip. */
export function packed(bytes: Bytes): Bytes {
  const source = Readable.from(bytes, { objectMode: false })
  const gzip = createGzip()
  source.on('error', (error) => gzip.destroy(error))
  return source.pipe(gzip)
}
