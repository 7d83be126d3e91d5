import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sleep, unavailable } from '#base'
import { readDescriptor, spawnProcess } from '#kernel'
import { unlessStill } from './standstill.ts'
import { type Greeting, type Letter, onLines, type Order, type Reply, sendLine } from './line.ts'

/** So long an order or the start of the process may take; both take milliseconds. */
const PATIENCE = 15_000

export interface ProcessPlace {
  readonly execRoot: string
  /** `bin/switchboard`, in the form of the program that runs. */
  readonly entry: URL
}

/** A connection to the process. */
export interface ProcessLine extends Disposable {
  readonly pid: number
  /** Resolves when it is carried out; rejects with what the process says, or kind `unavailable` where it is lost. */
  tell(order: Order): Promise<void>
  readonly closed: Promise<void>
  /** It is closed: what was not answered will not be. */
  readonly lost: boolean
}

function socketOf({ execRoot }: ProcessPlace): string {
  return join(execRoot, 'switchboard.sock')
}

/** Changes when the program does. */
export function codeOf({ entry }: ProcessPlace): string {
  const path = fileURLToPath(entry)
  return `${path} ${statSync(path).mtimeMs}`
}

/** A process of this exec root that is there already, of this program or of another; undefined where there is none or it ends. */
export async function findProcess(
  place: ProcessPlace,
): Promise<{ readonly line: ProcessLine; readonly code: string } | undefined> {
  const socket = connect(socketOf(place))
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
  } catch {
    return undefined
  }
  return await greet(socket, pidOf(place))
}

function pidFileOf({ execRoot }: ProcessPlace): string {
  return join(execRoot, 'switchboard.pid')
}

/** Of the process that was started last, as long as it is there. */
function pidOf(place: ProcessPlace): number | undefined {
  try {
    const pid = Number(readFileSync(pidFileOf(place), 'utf8'))
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${socketOf(place)}\0`) ? pid : undefined
  } catch {
    return undefined
  }
}

/** Starts it, in a session of its own so that it outlives us, and waits until it listens. */
export async function startProcess(place: ProcessPlace): Promise<ProcessLine> {
  const log = openSync(join(place.execRoot, 'switchboard.log'), 'a', 0o600)
  try {
    const child = spawnProcess({
      file: process.execPath,
      args: [...FLAGS, fileURLToPath(place.entry), socketOf(place), codeOf(place)],
      env: { PATH: process.env['PATH'] ?? '', NODE_NO_WARNINGS: '1' },
      cwd: '/',
      stdio: ['ignore', 'pipe', log],
      session: true,
    })
    child.exited.catch(() => undefined)
    writeFileSync(pidFileOf(place), String(child.pid), { mode: 0o600 })
    const ready = child.pipes.get(1)
    if (ready !== undefined) await waitForEnd(ready)
  } finally {
    closeSync(log)
  }
  const found = await findProcess(place)
  if (!found) throw unavailable('cannot start the resolver of containers: see switchboard.log in the exec root')
  return found.line
}

/** It keeps little: a small heap is cleaned often rather than large. No signal opens a debugger. */
const FLAGS = ['--max-semi-space-size=1', '--v8-pool-size=1', '--disable-sigusr1'] as const

async function waitForEnd(fd: number): Promise<void> {
  try {
    for await (const _chunk of readDescriptor(fd, { signal: AbortSignal.timeout(PATIENCE) })) break
  } finally {
    closeSync(fd)
  }
}

/** Undefined where it closes the connection without a word. */
async function greet(
  socket: Socket,
  starting: number | undefined,
): Promise<{ readonly line: ProcessLine; readonly code: string } | undefined> {
  const greeted = Promise.withResolvers<Greeting | undefined>()
  const closed = Promise.withResolvers<void>()
  const waiting = new Map<number, PromiseWithResolvers<void>>()
  const lost = unavailable('the resolver of containers has ended')
  onLines<Greeting | Reply>(socket, (value) => {
    if ('code' in value) return greeted.resolve(value)
    const order = waiting.get(value.id)
    waiting.delete(value.id)
    if (value.error === undefined) order?.resolve()
    else order?.reject(unavailable(value.error, { details: { errno: value.errno ?? '' } }))
  })
  socket.on('error', () => socket.destroy())
  socket.on('close', () => {
    for (const order of waiting.values()) order.reject(lost)
    waiting.clear()
    greeted.resolve(undefined)
    closed.resolve()
  })
  const greeting = await within(greeted.promise, starting)
  if (!greeting) return undefined
  const { code, pid } = greeting
  let last = 0
  return {
    code,
    line: {
      pid,
      closed: closed.promise,
      get lost() {
        return socket.destroyed
      },
      tell(order) {
        last += 1
        const done = Promise.withResolvers<void>()
        if (socket.destroyed) return Promise.reject(lost)
        waiting.set(last, done)
        sendLine(socket, { id: last, order } satisfies Letter)
        return within(done.promise, pid)
      },
      [Symbol.dispose]: () => socket.destroy(),
    },
  }
}

async function within<T>(work: Promise<T>, pid: number | undefined): Promise<T> {
  const over = new AbortController()
  // Ended, it closes the connection, and that is the answer.
  if (pid !== undefined) void unlessStill(pid, over.signal)
  const late = sleep(PATIENCE, over.signal).then(() => {
    throw unavailable(`the resolver of containers did not answer within ${PATIENCE / 1000} seconds`)
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    over.abort()
  }
}
