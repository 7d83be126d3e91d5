import type { Socket } from 'node:net'
import type { SwitchboardForward, SwitchboardName, SwitchboardSandbox, SwitchboardTable } from './types.ts'

/** What the daemon tells the process, one JSON value a line; each is answered by `Reply` with its number. */
export type Order =
  | { readonly op: 'restore'; readonly table: SwitchboardTable }
  | { readonly op: 'sandbox'; readonly sandbox: SwitchboardSandbox }
  | { readonly op: 'drop'; readonly container: string }
  | { readonly op: 'names'; readonly network: string; readonly names: readonly SwitchboardName[] }
  | { readonly op: 'forwards'; readonly container: string; readonly forwards: readonly SwitchboardForward[] }
  | { readonly op: 'stop' }

export interface Letter {
  readonly id: number
  readonly order: Order
}

export interface Reply {
  readonly id: number
  readonly error?: string
  /** Where it was a system call that failed («EADDRINUSE»). */
  readonly errno?: string
}

/** The first line that the process sends: which program it is and its number. */
export interface Greeting {
  readonly code: string
  readonly pid: number
}

export function sendLine(socket: Socket, value: unknown): void {
  socket.write(`${JSON.stringify(value)}\n`)
}

/** Calls `take` with each value. What is no JSON ends the connection. */
export function onLines<T>(socket: Socket, take: (value: T) => void): void {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const value = parse<T>(line)
      if (value === undefined) return socket.destroy()
      take(value)
    }
  })
}

/** Both ends are this program: the shape is not looked at. */
function parse<T>(line: string): T | undefined {
  try {
    return JSON.parse(line) as T
  } catch {
    return undefined
  }
}
