import { Duplex } from 'node:stream'
import { messageOf } from '#base'
import type { RawStream } from './hijack.ts'

/** gRPC's status FAILED_PRECONDITION: clients neither repeat the call nor look for another way. */
const FAILED_PRECONDITION = '9'

/**
 * Answers every call of a gRPC connection with this sentence. Only a client that has got its connection shows what
 * the server says: refused one, buildx would look for a BuildKit elsewhere.
 */
export function refuseCalls(raw: RawStream, sentence: string): void {
  const session = process.getBuiltinModule('node:http2').performServerHandshake(duplexOf(raw))
  session.on('error', () => session.destroy())
  session.on('stream', (stream) => {
    stream.on('error', () => stream.destroy())
    const head = { ':status': 200, 'content-type': 'application/grpc' }
    const status = { 'grpc-status': FAILED_PRECONDITION, 'grpc-message': encodeURIComponent(sentence) }
    stream.respond({ ...head, ...status }, { endStream: true })
  })
  raw.closed.addEventListener('abort', () => session.destroy(), { once: true })
}

/** What is written to a connection that is gone is dropped. */
async function forward(raw: RawStream, chunk: Uint8Array, done: () => void): Promise<void> {
  await raw.write(chunk)
  done()
}

function duplexOf(raw: RawStream): Duplex {
  const duplex = new Duplex({
    read: () => undefined,
    write: (chunk: Uint8Array, _encoding, done) => void forward(raw, chunk, done),
    final: (done) => {
      raw.end()
      done()
    },
    destroy: (error, done) => {
      raw.end()
      done(error)
    },
  })
  const pump = async (): Promise<void> => {
    for await (const chunk of raw.input) duplex.push(chunk)
    duplex.push(null)
  }
  pump().catch((error: unknown) => duplex.destroy(new Error(messageOf(error))))
  return duplex
}
