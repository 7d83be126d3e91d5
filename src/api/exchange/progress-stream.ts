import { EngineError, messageOf } from '#base'
import { encodeLine, type ProgressLine } from '#wire'
import type { Exchange, ReplyStream } from './exchange.ts'

/** A reply of lines whose head goes out with the first of them: what fails before then still has a status. */
export interface ProgressStream {
  /** Sends the head now: what fails from here on is a line. */
  readonly begin: () => void
  /** Never waits: what comes out is small beside what is done. Lines of one turn of the event loop go out together. */
  readonly line: (line: ProgressLine) => void
  /** That was the last line: what is still done is nothing to the client. */
  readonly end: () => void
}

/** Carries `work` out, and ends the reply: an error is a line once there were others, and thrown before. */
export async function streamProgress(
  exchange: Exchange,
  work: (stream: ProgressStream) => Promise<void>,
): Promise<void> {
  let output: ReplyStream | undefined
  let waiting = ''
  let soon: NodeJS.Immediate | undefined
  let ended = false
  const begin = (): ReplyStream => (output ??= exchange.stream('application/json'))
  const send = (): ReplyStream => {
    clearImmediate(soon)
    const sent = begin()
    if (waiting !== '') void sent.write(waiting)
    waiting = ''
    return sent
  }
  const line = (value: ProgressLine): void => {
    if (ended) return
    if (waiting === '') soon = setImmediate(send)
    waiting += encodeLine(value)
  }
  const end = (): void => {
    if (!ended) send().end()
    ended = true
  }
  try {
    await work({ begin: () => void begin(), line, end })
  } catch (error) {
    if ((!output && waiting === '') || ended || exchange.signal.aborted) {
      clearImmediate(soon)
      throw error
    }
    line(errorLine(error))
  }
  end()
}

/** An error as the last line of a stream; `code` is the exit code of a command that failed. */
function errorLine(error: unknown): ProgressLine {
  const message = messageOf(error)
  const code = error instanceof EngineError ? error.details?.['exitCode'] : undefined
  return { errorDetail: { ...(typeof code === 'number' && { code }), message }, error: message }
}
