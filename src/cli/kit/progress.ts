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

/** Lines with an id keep their row; others go below them and end the rows. A row that has left the screen stays as it is. */
function createLive(output: Output): Print {
  const rows = new Map<string, number>()
  return (line) => {
    const isRow = line.id !== undefined && line.id !== '' && line.progressDetail !== undefined
    if (!isRow) {
      rows.clear()
      return output.write(textOf(line))
    }
    const { rows: height, columns } = sizeOf(output)
    const text = rowText(line, columns)
    const row = rows.get(line.id)
    if (row === undefined) {
      rows.set(line.id, rows.size)
      return output.write(`${text}\n`)
    }
    const up = rows.size - row
    if (up < height) output.write(`${ESC}${up}A\r${ESC}2K${text}\r${ESC}${up}B`)
  }
}

/** Some terminals say 0 by 0. */
function sizeOf(output: Output): ReturnType<Output['size']> {
  const { rows, columns } = output.size()
  return { rows: rows || 24, columns: columns || 80 }
}

/** As docker's client: the bar has room from this width on, below it only the numbers are shown. */
const BAR_WIDTH = 110

/** Never wider than the terminal: a row that wraps would move all others. */
function rowText(line: ProgressLine, columns: number): string {
  const { current = 0, total = 0 } = line.progressDetail ?? {}
  const bar = current > 0 || total > 0 ? progressText(current, total) : ''
  const shown = columns > BAR_WIDTH ? bar : bar.replace(/^\[.*\] /, '')
  return `${line.id ?? ''}: ${line.status ?? ''} ${shown}`.trimEnd().slice(0, columns - 1)
}
