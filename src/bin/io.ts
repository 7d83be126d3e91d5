import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { errnoOf } from '#base'
import type { Io, Output } from '#cli'

/** Hears why a stream takes nothing any more. */
type OnLost = (error: unknown) => void

/**
 * The process's own streams and signals, as the commands see them. A stream that a command does not use is not opened:
 * it would cost a short one milliseconds. `onLost` hears of each that is written to while nobody reads it any more.
 */
export function createIo(own: NodeJS.Process, onLost: OnLost): Io {
  return {
    stdout: outputOf(1, () => own.stdout, onLost),
    stderr: outputOf(2, () => own.stderr, onLost),
    stdin: {
      terminal: isatty(0),
      bytes: { [Symbol.asyncIterator]: () => own.stdin[Symbol.asyncIterator]() },
      raw() {
        own.stdin.setRawMode(true)
        // Node leaves the terminal to make «\r\n» of «\n»; programs that draw a screen move straight down with it.
        own.getBuiltinModule('node:child_process').spawnSync('stty', ['-opost'], { stdio: [0, 'ignore', 'ignore'] })
        return { [Symbol.dispose]: () => void own.stdin.setRawMode(false) }
      },
    },
    onSignals(names, callback) {
      const handlers = names.map((name) => [name, () => callback(name)] as const)
      for (const [name, handler] of handlers) own.on(name, handler)
      return {
        [Symbol.dispose]() {
          for (const [name, handler] of handlers) own.removeListener(name, handler)
        },
      }
    },
  }
}

/** What a pipe takes without waiting (pipe(7)): so much is written at once, whatever comes after it by a stream. Bytes. */
const AT_ONCE = 64 << 10

function outputOf(descriptor: number, open: () => NodeJS.WriteStream, onLost: OnLost): Output {
  let left = AT_ONCE
  let opened: NodeJS.WriteStream | undefined
  const stream = (): NodeJS.WriteStream => (opened ??= open().on('error', onLost))
  return {
    terminal: isatty(descriptor),
    write(chunk) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      left -= bytes.length
      const rest = opened || left < 0 ? bytes : writeAtOnce(descriptor, bytes, onLost)
      if (rest.length > 0) stream().write(rest)
    },
    async drained() {
      const open = opened
      if (open && open.writableLength > 0) await new Promise<void>((resolve) => open.write('', () => resolve()))
    },
    size: () => ({ rows: stream().rows, columns: stream().columns }),
    onResize(callback) {
      stream().on('resize', callback)
      return { [Symbol.dispose]: () => void stream().removeListener('resize', callback) }
    },
  }
}

/** Without a stream, which costs a short command milliseconds. Returns what the descriptor did not take. */
function writeAtOnce(descriptor: number, bytes: Uint8Array, onLost: OnLost): Uint8Array {
  try {
    return bytes.subarray(writeSync(descriptor, bytes))
  } catch (error) {
    // Somebody else made it non-blocking, and it is full: the stream waits. Other errors come again there.
    if (errnoOf(error) === 'EPIPE') onLost(error)
    return bytes
  }
}
