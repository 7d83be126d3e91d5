/**
 * Lives in one network namespace of reach.test.ts: serves ports, each answering with the address that it sees of its
 * client, and asks others' ports. Orders and answers are lines of JSON.
 */
import { createSocket } from 'node:dgram'
import { connect, createServer, isIPv6 } from 'node:net'
import { createInterface } from 'node:readline'

interface Order {
  readonly id: number
  readonly op: 'serve' | 'ask'
  readonly protocol: 'tcp' | 'udp'
  readonly address: string
  readonly port: number
  /** Milliseconds until nobody answered. */
  readonly wait: number
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const order: Order = JSON.parse(line)
  const work = order.op === 'serve' ? serve(order) : order.protocol === 'tcp' ? askStream(order) : askDatagram(order)
  work.then(
    (text) => console.log(JSON.stringify({ id: order.id, text })),
    (error: unknown) => console.log(JSON.stringify({ id: order.id, error: String(error) })),
  )
})

async function serve({ protocol, port }: Order): Promise<string> {
  for (const address of ['0.0.0.0', '::']) await (protocol === 'tcp' ? serveStreams : serveDatagrams)(address, port)
  return 'serving'
}

function serveStreams(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end(socket.remoteAddress ?? '')
    })
    server.on('error', (error: NodeJS.ErrnoException) => (lacks(error, address) ? resolve() : reject(error)))
    server.listen({ host: address, port, ipv6Only: true }, resolve)
  })
}

function serveDatagrams(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', ipv6Only: isIPv6(address) })
    socket.on('message', (_message, from) => socket.send(from.address, from.port, from.address))
    socket.on('error', (error: NodeJS.ErrnoException) => (lacks(error, address) ? resolve() : reject(error)))
    socket.bind(port, address, resolve)
  })
}

function lacks({ code }: NodeJS.ErrnoException, address: string): boolean {
  return isIPv6(address) && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')
}

function askStream({ address, port, wait }: Order): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, address)
    const chunks: Buffer[] = []
    const timer = setTimeout(() => socket.destroy(new Error('timeout')), wait)
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('end', () => resolve(Buffer.concat(chunks).toString()))
    socket.on('error', reject)
    socket.on('close', () => {
      clearTimeout(timer)
      reject(new Error('closed'))
    })
  })
}

function askDatagram({ address, port, wait }: Order): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
    const end = (finish: () => void): void => {
      clearInterval(again)
      clearTimeout(timer)
      socket.close()
      finish()
    }
    const send = (): void => socket.send('who am I?', port, address, () => undefined)
    const again = setInterval(send, 200)
    const timer = setTimeout(() => end(() => reject(new Error('timeout'))), wait)
    socket.on('message', (message) => end(() => resolve(message.toString())))
    socket.on('error', (error) => end(() => reject(error)))
    send()
  })
}
