import { randomInt } from 'node:crypto'
import { CODE, codeOf, readdress } from './message.ts'
import type { Exchange } from './exchange.ts'

/** A server that knows more than the table. */
export interface Server {
  readonly address: string
  /** The namespace's file out of which it is asked; absent for the host's. */
  readonly path?: string
}

export interface Question {
  readonly message: Buffer
  /** The part of it that says what is asked. */
  readonly question: Buffer
  readonly protocol: 'udp' | 'tcp'
}

export interface Upstream {
  /** The best answer that one of the servers gives in time, under the number of the message; undefined where none does. */
  ask(servers: readonly Server[], question: Question): Promise<Buffer | undefined>
}

export interface UpstreamTimes {
  /** Before the next server is asked too. */
  readonly head: number
  /** Until all is given up. */
  readonly patience: number
  /** A server that let others answer for it is asked last so long. */
  readonly penalty: number
}

const TIMES: UpstreamTimes = { head: 150, patience: 4000, penalty: 30_000 }

/** Questions under way at a time; what comes above is told to come again. */
const MOST = 2048

/**
 * Asks servers one after the other with a short head start each, so a dead one costs little; who was silent while another
 * answered is asked last for a while. The same question of several clients is asked once.
 */
export function createUpstream(exchange: Exchange, times: UpstreamTimes = TIMES): Upstream {
  const silent = new Map<string, number>()
  const asking = new Map<string, Promise<Buffer | undefined>>()
  const rank = (server: Server): number => ((silent.get(keyOf(server)) ?? 0) > Date.now() ? 1 : 0)
  return {
    async ask(servers, question) {
      if (servers.length === 0 || asking.size >= MOST) return undefined
      const ordered = servers.toSorted((one, other) => rank(one) - rank(other))
      const key = `${ordered.map(keyOf).join()} ${question.protocol} ${question.message.toString('latin1', 2)}`
      const flight =
        asking.get(key) ??
        race(exchange, { servers: ordered, question, times, silent }).finally(() => asking.delete(key))
      asking.set(key, flight)
      const answer = await flight
      return answer && readdress(answer, question.message.readUInt16BE(0))
    },
  }
}

interface Race {
  readonly servers: readonly Server[]
  readonly question: Question
  readonly times: UpstreamTimes
  readonly silent: Map<string, number>
}

/** The first answer that says something wins; one that only says that its server fails is kept for the end. */
function race(exchange: Exchange, { servers, question, times, silent }: Race): Promise<Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>()
  const over = new AbortController()
  const waitingFor = new Set<string>()
  let next = 0
  let poor: Buffer | undefined
  let timer: NodeJS.Timeout | undefined
  const end = (answer: Buffer | undefined): void => {
    clearTimeout(timer)
    clearTimeout(limit)
    if (answer) for (const server of waitingFor) silent.set(server, Date.now() + times.penalty)
    over.abort()
    resolve(answer)
  }
  const limit = setTimeout(() => end(poor), times.patience)
  const askNext = (): void => {
    clearTimeout(timer)
    const server = servers[next]
    next += 1
    if (!server) {
      if (waitingFor.size === 0) end(poor)
      return
    }
    const key = keyOf(server)
    waitingFor.add(key)
    timer = setTimeout(askNext, times.head)
    const id = randomInt(0x10000)
    exchange(server, { ...question, message: readdress(question.message, id), id }, over.signal).then(
      (answer) => {
        waitingFor.delete(key)
        silent.delete(key)
        if (saysSomething(answer)) return end(answer)
        poor ??= answer
        askNext()
      },
      () => {
        if (over.signal.aborted) return
        waitingFor.delete(key)
        silent.set(key, Date.now() + times.penalty)
        askNext()
      },
    )
  }
  askNext()
  return promise
}

function saysSomething(answer: Buffer): boolean {
  const code = codeOf(answer)
  return code === CODE.none || code === CODE.name
}

function keyOf({ address, path = '' }: Server): string {
  return `${address}@${path}`
}
