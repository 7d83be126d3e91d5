import { isatty } from 'node:tty'
import type { Io, Output } from '#cli'

/**
 * The process's own streams and signals, as the commands see them. A stream that a command does not use is not opened:
 * it would cost a short one milliseconds. `onLost` hears of each that is written to while nobody reads it any more.
 */
export function createIo(own: NodeJS.Process, onLost: () => void): Io {
  return {
    stdout: outputOf(1, () => own.stdout, onLost),
    stderr: outputOf(2, () => own.stderr, onLost),
    stdin: {
      terminal: isatty(0),
      bytes: { [Symbol.asyncIterator]: () => own.stdin[Symbol.asyncIterator]() },
      raw() {
        own.stdin.setRawMode(true)
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

function outputOf(descriptor: number, open: () => NodeJS.WriteStream, onLost: () => void): Output {
  let opened: NodeJS.WriteStream | undefined
  const stream = (): NodeJS.WriteStream => (opened ??= open().on('error', onLost))
  return {
    terminal: isatty(descriptor),
    write: (chunk) => void stream().write(chunk),
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
