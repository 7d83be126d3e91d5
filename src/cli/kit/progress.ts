import { EngineError } from '#base'
import { type ProgressLine, progressText } from '#wire'
import type { Output } from './command.ts'

/**
 * Prints the lines of a pull, push, load or build as docker's client does: on a terminal one line an id, rewritten in
 * place; elsewhere every line but the progress bars. Throws the stream's own error. `onAux` gets what lines carry aside.
 */
export async function showProgress(
  lines: AsyncIterable<ProgressLine>,
  output: Output,
  onAux: (aux: unknown) => void = () => undefined,
): Promise<void> {
  const print = output.terminal ? createLive(output) : createPlain(output)
  for await (const line of lines) {
    if (line.error !== undefined || line.errorDetail !== undefined) throw streamError(line)
    if (line.aux !== undefined) onAux(line.aux)
    else print(line)
  }
}

function streamError(line: ProgressLine): EngineError {
  const code = line.errorDetail?.code
  return new EngineError('internal', line.errorDetail?.message ?? line.error ?? '', { details: { stream: true, code } })
}

type Print = (line: ProgressLine) => void

function createPlain(output: Output): Print {
  return (line) => {
    if (line.progress !== undefined && line.progress !== '') return
    if ((line.progressDetail?.current ?? 0) > 0) return
    output.write(textOf(line))
  }
}

function textOf(line: ProgressLine): string {
  if (line.stream !== undefined) return line.stream
  return `${line.id === undefined ? '' : `${line.id}: `}${line.status ?? ''}\n`
}

const ESC = '\u001B['

/** Lines with an id keep their row; others go below them and end the rows. */
function createLive(output: Output): Print {
  const rows = new Map<string, number>()
  return (line) => {
    const isRow = line.id !== undefined && line.id !== '' && line.progressDetail !== undefined
    if (!isRow) {
      rows.clear()
      return output.write(textOf(line))
    }
    const id = line.id ?? ''
    const row = rows.get(id)
    if (row === undefined) {
      rows.set(id, rows.size)
      return output.write(`${liveText(line)}\n`)
    }
    const up = rows.size - row
    output.write(`${ESC}${up}A\r${ESC}2K${liveText(line)}\r${ESC}${up}B`)
  }
}

function liveText(line: ProgressLine): string {
  const { current = 0, total = 0 } = line.progressDetail ?? {}
  const bar = line.progress ?? (current > 0 ? progressText(current, total) : '')
  return `${line.id ?? ''}: ${line.status ?? ''} ${bar}`.trimEnd()
}
