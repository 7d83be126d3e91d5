import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { BodyDecoder, type BodyOnConnection, type Bytes, type Framing, invalid } from '#base'
import { handleOf, isUpgrade, moreToRead, responseForUpgrade } from './hijack.ts'

/** A body that node's parser has left where it came: read here, or by a worker on the connection itself. */
export interface TakenBody extends BodyOnConnection {
  /** The whole body. Throws `invalid` where it ends early. */
  readonly bytes: Bytes
}

/** The framing of a request whose body can be taken; undefined where it is left to node's parser. */
export function framingOf(request: IncomingMessage): Framing | undefined {
  const { headers, httpVersion } = request
  if (httpVersion !== '1.1' || headers.expect !== undefined || isUpgrade(request)) return undefined
  const length = headers['content-length']
  if (headers['transfer-encoding'] !== undefined)
    return headers['transfer-encoding'].toLowerCase() === 'chunked' && length === undefined ? 'chunked' : undefined
  return length !== undefined && /^\d{1,15}$/.test(length) && Number(length) > 0 ? Number(length) : undefined
}

/** What tells the forms of a tar apart is in so many bytes. */
const FIRST = 6

export function createTakenBody(
  socket: Socket,
  { framing, begun }: { readonly framing: Framing; readonly begun: Uint8Array },
): TakenBody {
  const pieces: Uint8Array[] = []
  const body: Uint8Array[] = []
  const decoder = new BodyDecoder(framing)
  let unread: Uint8Array | undefined = begun
  const more = async (): Promise<boolean> => {
    if (decoder.done) return false
    const piece = unread ?? (await nextPiece(socket))
    unread = undefined
    if (!piece) return false
    pieces.push(piece)
    decoder.push(piece, (bytes) => body.push(bytes))
    return true
  }
  return {
    async first() {
      while (lengthOf(body) < FIRST && (await more()));
      return Buffer.concat(body)
    },
    get isWhole() {
      return decoder.done
    },
    take() {
      const handle = handleOf(socket)
      if (!handle) throw invalid('connection is gone')
      handle.readStop()
      // as long as node believes that it reads, taking what it has read does not make it read on
      handle.reading = true
      handle.isLent = true
      if (unread) pieces.push(unread)
      for (let piece: unknown = socket.read(); piece instanceof Uint8Array; piece = socket.read()) pieces.push(piece)
      return { descriptor: handle.fd, framing, begun: Buffer.concat(pieces) }
    },
    giveBack: () => noticeEnd(socket),
    bytes: (async function* () {
      for (;;) {
        pieces.length = 0
        yield* body.splice(0)
        if (!(await more())) break
      }
      if (!decoder.done) throw invalid('unexpected EOF')
      noticeEnd(socket)
    })(),
  }
}

/** A client that ends its side before the answer has left. What it sends behind the body is not asked for. */
function noticeEnd(socket: Socket): void {
  socket.once('end', () => socket.destroy())
  readAgain(socket)
}

/** Lets node read a connection, that a worker has read before or not. */
function readAgain(socket: Socket): void {
  const handle = handleOf(socket)
  if (handle?.isLent) {
    handle.isLent = false
    handle.readStart()
  }
  socket.resume()
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0)
}

async function nextPiece(socket: Socket): Promise<Uint8Array | undefined> {
  for (;;) {
    const piece: unknown = socket.read()
    if (piece instanceof Uint8Array) return piece
    if (socket.readableEnded || socket.destroyed) return undefined
    await moreToRead(socket)
  }
}

/** So much, and so long, a client may go on sending a body that was answered before its end. Bytes, milliseconds. */
const LINGER = { bytes: 256 << 20, time: 5000 }

/** The reply to such a request. The connection ends with it, but not while the client still sends: it would not read it. */
export function responseForTaken(request: IncomingMessage, socket: Socket): ServerResponse {
  return responseForUpgrade(request, socket, { head: Buffer.alloc(0), ended: () => leave(socket) })
}

function leave(socket: Socket): void {
  socket.end()
  if (socket.readableEnded) return
  let left = LINGER.bytes
  socket.on('data', (chunk: Uint8Array) => {
    left -= chunk.length
    if (left < 0) socket.destroy()
  })
  socket.once('end', () => socket.destroySoon())
  readAgain(socket)
  setTimeout(() => socket.destroy(), LINGER.time).unref()
}
