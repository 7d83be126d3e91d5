import { readSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { type Bytes, cancelled, corrupt, EngineError, errnoOf, messageOf, unavailable } from '#base'
import type { Host } from './host.ts'

/** A connection with a reader that can stop between head and body. */
export interface Connection extends Disposable {
  write(chunk: Uint8Array | string): Promise<void>
  /** Ends our side only. */
  end(): void
  /** The next bytes, or undefined at the end. */
  read(): Promise<Buffer | undefined>
  /** The text up to and without the blank line; keeps what follows it. */
  readHead(): Promise<string>
  /** Puts bytes back in front. */
  unread(bytes: Buffer): void
}

/** Longest head of a reply. */
const MAX_HEAD = 64 * 1024

/** Throws `unavailable` with `details.errno` where nobody listens. The signal destroys the connection. */
export async function openConnection(host: Host, text: string, signal?: AbortSignal): Promise<Connection> {
  if (signal?.aborted) throw cancelled('request', signal.reason)
  const socket = connect(
    host.kind === 'unix'
      ? { path: host.path, allowHalfOpen: true }
      : { host: host.name, port: host.port, allowHalfOpen: true, noDelay: true },
  )
  await connected(socket, text)
  const abort = (): void => void socket.destroy(cancelled('request', signal?.reason))
  signal?.addEventListener('abort', abort, { once: true })
  socket.once('close', () => signal?.removeEventListener('abort', abort))
  return createConnection(socket)
}

function connected(socket: Socket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(connectError(error, text))
    socket.once('error', fail)
    socket.once('connect', () => {
      socket.removeListener('error', fail)
      resolve()
    })
  })
}

function connectError(error: Error, text: string): EngineError {
  const errno = errnoOf(error)
  const message =
    errno === 'ENOENT' || errno === 'ECONNREFUSED'
      ? `Cannot connect to the mica daemon at ${text}. Is the mica daemon running?`
      : errno === 'EACCES'
        ? `permission denied while trying to connect to the mica daemon socket at ${text}`
        : `cannot connect to the mica daemon at ${text}: ${errno ?? messageOf(error)}`
  return unavailable(message, { cause: error, details: { errno } })
}

function createConnection(socket: Socket): Connection {
  const incoming = receive(socket)
  let pending = Buffer.alloc(0)
  const read = async (): Promise<Buffer | undefined> => {
    if (pending.length === 0) return await incoming.next()
    const bytes = pending
    pending = Buffer.alloc(0)
    return bytes
  }
  return {
    read,
    unread: (bytes) => void (pending = Buffer.concat([bytes, pending])),
    end: () => void socket.end(),
    write: (chunk) =>
      new Promise((resolve, reject) => {
        socket.write(chunk, (error) => {
          if (!error) return resolve()
          incoming.salvage()
          reject(lost(error))
        })
      }),
    async readHead() {
      let head = Buffer.alloc(0)
      for (;;) {
        const chunk = await read()
        if (!chunk) throw unavailable('the daemon closed the connection before it answered')
        head = Buffer.concat([head, chunk])
        const at = head.indexOf('\r\n\r\n')
        if (at >= 0) {
          pending = head.subarray(at + 4)
          return head.toString('latin1', 0, at)
        }
        if (head.length > MAX_HEAD) throw corrupt('cannot read reply: its head is too long')
      }
    },
    // Node opens the stream of stderr to compare it with a socket that is destroyed: a short command ends before.
    [Symbol.dispose]: () => void setImmediate(() => socket.destroy()),
  }
}

/** So much waits here for a slow reader. Bytes. */
const QUEUE = 1 << 20

interface Incoming {
  /** The next piece as it came, or undefined at the end. */
  next(): Promise<Buffer | undefined>
  /** Takes in what the system still holds, after a write that failed. */
  salvage(): void
}

/**
 * A server that refuses early closes while we still send. Our write fails then, and Node throws away with the socket what
 * nobody has read: so it is taken in as it comes, and what has not come yet when the write fails is read by its descriptor.
 */
function receive(socket: Socket): Incoming {
  const queue: Buffer[] = []
  let size = 0
  let end: { readonly failure?: Error } | undefined
  let wake = Promise.withResolvers<void>()
  const take = (chunk: Buffer): void => {
    queue.push(chunk)
    size += chunk.length
    wake.resolve()
  }
  const finish = (failure?: Error): void => {
    end ??= failure === undefined ? {} : { failure }
    wake.resolve()
  }
  socket.on('data', (chunk) => {
    take(chunk)
    if (size > QUEUE) socket.pause()
  })
  // A failed write must not crash the process; the reader, or the next write, says what happened.
  socket.on('error', finish)
  socket.on('end', () => finish())
  socket.on('close', () => finish())
  return {
    async next() {
      while (queue.length === 0 && end === undefined) {
        await wake.promise
        wake = Promise.withResolvers<void>()
      }
      const chunk = queue.shift()
      if (chunk === undefined && end?.failure !== undefined) throw lost(end.failure)
      size -= chunk?.length ?? 0
      if (socket.isPaused() && size <= QUEUE) socket.resume()
      return chunk
    },
    salvage() {
      for (const chunk of leftIn(socket)) take(chunk)
    },
  }
}

const PIECE = 64 << 10

/** What has come and was not read yet. Node has no other way to it once it has given the socket up. */
function* leftIn(socket: Socket): Iterable<Buffer> {
  const handle: unknown = Reflect.get(socket, '_handle')
  const descriptor: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined
  if (typeof descriptor !== 'number' || descriptor < 0) return
  for (;;) {
    const buffer = Buffer.alloc(PIECE)
    const length = readNow(descriptor, buffer)
    if (length === 0) return
    yield buffer.subarray(0, length)
  }
}

/** Nothing more at once is the same as the end here. */
function readNow(descriptor: number, buffer: Buffer): number {
  try {
    return readSync(descriptor, buffer)
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return 0
  }
}

function lost(error: unknown): EngineError {
  if (error instanceof EngineError) return error
  return unavailable(`lost the connection to the daemon: ${messageOf(error)}`, { cause: error })
}

/** The body of a reply by its headers (RFC 9112, section 6): chunked, counted, or up to the end. */
export async function* readBody(connection: Connection, headers: ReadonlyMap<string, string>): Bytes {
  if (headers.get('transfer-encoding')?.toLowerCase() === 'chunked') {
    yield* readChunked(connection)
    return
  }
  const length = headers.get('content-length')
  if (length !== undefined) {
    yield* readCounted(connection, Number(length))
    return
  }
  for (let chunk = await connection.read(); chunk; chunk = await connection.read()) yield chunk
}

async function* readCounted(connection: Connection, length: number): Bytes {
  for (let left = length; left > 0;) {
    const chunk = await connection.read()
    if (!chunk) throw unavailable('the daemon closed the connection inside an answer')
    if (chunk.length > left) connection.unread(chunk.subarray(left))
    const bytes = chunk.subarray(0, left)
    left -= bytes.length
    yield bytes
  }
}

async function* readChunked(connection: Connection): Bytes {
  for (;;) {
    const size = Number.parseInt(await readLine(connection), 16)
    if (!Number.isSafeInteger(size) || size < 0) throw corrupt('cannot read reply: bad chunk size')
    if (size === 0) break
    yield* readCounted(connection, size)
    await readLine(connection)
  }
  while ((await readLine(connection)) !== '');
}

async function readLine(connection: Connection): Promise<string> {
  let line = Buffer.alloc(0)
  for (;;) {
    const chunk = await connection.read()
    if (!chunk) throw unavailable('the daemon closed the connection inside an answer')
    line = Buffer.concat([line, chunk])
    const at = line.indexOf('\r\n')
    if (at >= 0) {
      connection.unread(line.subarray(at + 2))
      return line.toString('latin1', 0, at)
    }
    if (line.length > MAX_HEAD) throw corrupt('cannot read reply: a line is too long')
  }
}
