import { EngineError, messageOf } from '#base'
import type { ProgressLine } from '#wire'
import type { Exchange, ReplyStream } from './exchange.ts'

/** A reply of lines whose head goes out with the first of them: what fails before then still has a status. */
export interface ProgressStream {
  /** Never waits: what comes out is small beside what is done. */
  readonly line: (line: ProgressLine) => void
}

/** Carries `work` out, and ends the reply: an error is a line once there were others, and thrown before. */
export async function streamProgress(
  exchange: Exchange,
  work: (stream: ProgressStream) => Promise<void>,
): Promise<void> {
  let output: ReplyStream | undefined
  const line = (value: ProgressLine): void => {
    output ??= exchange.stream('application/json')
    void output.line(value)
  }
  try {
    await work({ line })
    output ??= exchange.stream('application/json')
  } catch (error) {
    if (!output || exchange.signal.aborted) throw error
    line(errorLine(error))
  }
  output.end()
}

/** An error as the last line of a stream; `code` is the exit code of a command that failed. */
function errorLine(error: unknown): ProgressLine {
  const message = messageOf(error)
  const code = error instanceof EngineError ? error.details?.['exitCode'] : undefined
  return { errorDetail: { ...(typeof code === 'number' && { code }), message }, error: message }
}
