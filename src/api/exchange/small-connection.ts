import type { Socket } from 'node:net'
import { createOutlet, type SmallOutlet } from './small-outlet.ts'
import { parseSmallRequest, type SmallRequest } from './small-request.ts'

/** Connections whose requests are small so far. */
export interface SmallConnections {
  readonly take: (socket: Socket) => void
  /** The connection is gone; for each that was taken. */
  gone(socket: Socket): void
  /** Ends those that ask for nothing, and the others with their reply. */
  close(): void
}

export interface SmallService {
  /** Answers a request, now or later; false where it is not for here. */
  readonly answer: (request: SmallRequest, outlet: SmallOutlet) => boolean
  /** Takes a connection over at its first request that is not for here; what was read of that lies in it. */
  readonly otherwise: (socket: Socket) => void
}

export function createSmallConnections(service: SmallService): SmallConnections {
  const taken = new Map<Socket, SmallConnection>()
  const otherwise = (socket: Socket): void => {
    taken.delete(socket)
    service.otherwise(socket)
  }
  return {
    take: (socket) => void taken.set(socket, new SmallConnection(socket, { ...service, otherwise })),
    gone(socket) {
      taken.get(socket)?.gone()
      taken.delete(socket)
    },
    close() {
      for (const connection of taken.values()) connection.close()
    },
  }
}

class SmallConnection {
  readonly #socket: Socket
  readonly #service: SmallService
  /** Of the request that is being answered. */
  #outlet: SmallOutlet | undefined
  /** What came meanwhile. */
  #early: Buffer[] = []
  #isClosing = false

  constructor(socket: Socket, service: SmallService) {
    this.#socket = socket
    this.#service = service
    socket.on('data', this.#read)
    socket.on('end', this.#end)
    socket.on('error', this.#fail)
  }

  close(): void {
    this.#isClosing = true
    if (!this.#outlet) this.#socket.destroy()
  }

  gone(): void {
    this.#outlet?.leave()
  }

  readonly #read = (bytes: Buffer): void => {
    if (this.#outlet) {
      this.#early.push(bytes)
      this.#socket.pause()
      return
    }
    const request = parseSmallRequest(bytes)
    if (!request) return this.#handOn(bytes)
    const withBody = request.method !== 'HEAD'
    this.#outlet = createOutlet(this.#socket, { withBody, replied: this.#replied })
    if (!this.#service.answer(request, this.#outlet)) this.#handOn(bytes)
  }

  readonly #replied = (): void => {
    this.#outlet = undefined
    if (this.#isClosing || this.#socket.readableEnded) return void this.#socket.end()
    if (this.#early.length === 0) return
    const bytes = Buffer.concat(this.#early.splice(0))
    this.#socket.resume()
    this.#read(bytes)
  }

  /** It may have ended its side only: what it asked for is answered. */
  readonly #end = (): void => (this.#outlet ? this.#outlet.leave() : void this.#socket.end())

  readonly #fail = (): void => void this.#socket.destroy()

  #handOn(bytes: Buffer): void {
    const socket = this.#socket
    this.#outlet = undefined
    socket.off('data', this.#read)
    socket.off('end', this.#end)
    socket.off('error', this.#fail)
    socket.pause()
    socket.unshift(bytes)
    this.#service.otherwise(socket)
    socket.resume()
  }
}
