import { createSocket } from 'node:dgram'
import { Socket } from 'node:net'
import { bindInetSocket, connectInetSocket, withNetworkNamespace } from '#kernel'

/** A question for a resolver: «A», «AAAA», «PTR» or a number. */
export interface Question {
  readonly name: string
  readonly type: keyof typeof TYPES
  /** Bytes that an answer over UDP may have, by EDNS0; 512 without. */
  readonly size?: number
}

export interface Answer {
  readonly code: number
  readonly truncated: boolean
  /** Addresses and names, in the order of the answer. */
  readonly records: readonly string[]
  readonly bytes: Buffer
}

const TYPES = { A: 1, MX: 15, PTR: 12, TXT: 16, AAAA: 28, HTTPS: 65 } as const

/** A client of its own for tests, in the network namespace at `path`; over TCP where an answer was cut off. */
export interface ResolverClient extends Disposable {
  /** Rejects after `patience` milliseconds without an answer. */
  ask(question: Question, patience?: number): Promise<Answer>
  /** The same over TCP; several at once share the connection. */
  askByStream(questions: readonly Question[], patience?: number): Promise<readonly Answer[]>
  /** Any bytes; what comes back within `patience` milliseconds. */
  raw(bytes: Uint8Array, patience: number): Promise<Buffer | undefined>
}

export function createResolverClient(path: string, address = '127.0.0.11'): ResolverClient {
  const openStream = (): number => withNetworkNamespace(path, () => connectInetSocket({ address, port: 53 }))
  const socket = createSocket({ type: 'udp4', lookup: (name, _options, found) => found(null, name, 4) })
  const waiting = new Map<number, (answer: Buffer) => void>()
  let last = 0
  socket.on('error', () => undefined)
  socket.on('message', (bytes) => waiting.get(bytes.length > 1 ? bytes.readUInt16BE(0) : -1)?.(bytes))
  socket.bind({ fd: withNetworkNamespace(path, () => bindInetSocket('udp', { address: '0.0.0.0', port: 0 })) })
  const sent = (bytes: Uint8Array, id: number, patience: number): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        waiting.delete(id)
        reject(new Error(`no answer to question ${id} within ${patience} ms`))
      }, patience)
      waiting.set(id, (answer) => {
        clearTimeout(late)
        waiting.delete(id)
        resolve(answer)
      })
      socket.send(bytes, 53, address)
    })
  const client: ResolverClient = {
    async ask(question, patience = 20_000) {
      last = (last + 1) % 0x10000
      const answer = decode(await sent(encode(last, question), last, patience))
      if (!answer.truncated) return answer
      const [whole] = await client.askByStream([question], patience)
      return whole ?? answer
    },
    askByStream: (questions, patience = 20_000) => askByStream(openStream(), questions, patience),
    raw: (bytes, patience) =>
      sent(bytes, bytes.length > 1 ? ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0) : -1, patience).catch(() => undefined),
    [Symbol.dispose]: () => void socket.close(),
  }
  return client
}

function askByStream(fd: number, questions: readonly Question[], patience: number): Promise<readonly Answer[]> {
  return new Promise((resolve, reject) => {
    const socket = new Socket({ fd })
    const answers = new Map<number, Answer>()
    let rest = Buffer.alloc(0)
    const late = setTimeout(() => socket.destroy(new Error(`no answer over TCP within ${patience} ms`)), patience)
    socket.on('error', reject)
    socket.on('close', () => {
      clearTimeout(late)
      reject(new Error('the connection was closed'))
    })
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length > 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const message = rest.subarray(2, 2 + rest.readUInt16BE(0))
        answers.set(message.readUInt16BE(0), decode(message))
        rest = rest.subarray(2 + message.length)
      }
      if (answers.size < questions.length) return
      resolve(questions.flatMap((_, index) => answers.get(index) ?? []))
      socket.destroy()
    })
    for (const [id, question] of questions.entries()) {
      const message = encode(id, question)
      socket.write(Buffer.concat([Buffer.of(message.length >> 8, message.length & 0xff), message]))
    }
  })
}

export function encode(id: number, { name, type, size }: Question): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE(0x0100, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(size === undefined ? 0 : 1, 10)
  const labels = name.split('.').flatMap((label) => [Buffer.of(label.length), Buffer.from(label)])
  const tail = Buffer.of(0, 0, TYPES[type], 0, 1)
  const extension = size === undefined ? Buffer.alloc(0) : Buffer.of(0, 0, 41, size >> 8, size & 0xff, 0, 0, 0, 0, 0, 0)
  return Buffer.concat([header, ...labels, tail, extension])
}

export function decode(bytes: Buffer): Answer {
  const flags = bytes.readUInt16BE(2)
  const records: string[] = []
  let at = 12
  if (bytes.readUInt16BE(4) > 0) at = readName(bytes, at).end + 4
  for (let count = bytes.readUInt16BE(6); count > 0; count -= 1) {
    const { end } = readName(bytes, at)
    const size = bytes.readUInt16BE(end + 8)
    records.push(dataText(bytes, bytes.readUInt16BE(end), end + 10, size))
    at = end + 10 + size
  }
  return { code: flags & 0xf, truncated: (flags & 0x0200) !== 0, records, bytes }
}

// oxlint-disable-next-line eslint/max-params -- where a record's data stands
function dataText(bytes: Buffer, type: number, at: number, size: number): string {
  if (type === TYPES.A) return [...bytes.subarray(at, at + 4)].join('.')
  if (type === TYPES.PTR) return readName(bytes, at).name
  return bytes.subarray(at, at + size).toString('hex')
}

function readName(bytes: Buffer, from: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = from
  for (;;) {
    const size = bytes.readUInt8(at)
    if ((size & 0xc0) === 0xc0) {
      const rest = readName(bytes, bytes.readUInt16BE(at) & 0x3fff).name
      return { name: [...labels, rest].filter((label) => label !== '').join('.'), end: at + 2 }
    }
    at += 1
    if (size === 0) return { name: labels.join('.'), end: at }
    labels.push(bytes.toString('latin1', at, at + size))
    at += size
  }
}
