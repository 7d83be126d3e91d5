import type { Io, Output } from '#cli'

/** The process's own streams and signals, as the commands see them. */
export function createIo(own: NodeJS.Process): Io {
  return {
    stdout: outputOf(own.stdout),
    stderr: outputOf(own.stderr),
    stdin: {
      terminal: own.stdin.isTTY,
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

function outputOf(stream: NodeJS.WriteStream): Output {
  return {
    terminal: stream.isTTY,
    write: (chunk) => void stream.write(chunk),
    size: () => ({ rows: stream.rows, columns: stream.columns }),
    onResize(callback) {
      stream.on('resize', callback)
      return { [Symbol.dispose]: () => void stream.removeListener('resize', callback) }
    },
  }
}
