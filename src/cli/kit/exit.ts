import { EngineError, messageOf } from '#base'
import { CommandLineError } from './error.ts'

/** An error as docker's client prints it: what the daemon refused is marked as the daemon's. */
export function complaint(error: unknown): string {
  const text = messageOf(error)
  if (!(error instanceof EngineError)) return text
  return error.details?.['status'] === undefined ? text : `Error response from daemon: ${text}`
}

/** Docker's exit statuses for a process that could not be started, read from the runtime's words: 127 not found, 126 not executable. */
export function startStatus(message: string, otherwise: number): number {
  if (/executable file not found|no such file or directory/i.test(message)) return 127
  if (/permission denied|is a directory/i.test(message)) return 126
  return otherwise
}

/** The text on stderr and the exit status of a command that threw. A failed build says its own. */
export function outcomeOf(error: unknown): { readonly text: string; readonly exit: number } {
  if (error instanceof CommandLineError) {
    const advice = error.advice === '' ? '' : `\n${error.advice}\n`
    return { text: `${error.message}\n${advice}`, exit: error.exit }
  }
  if (error instanceof EngineError && error.kind === 'cancelled') return { text: '', exit: 130 }
  return { text: `${complaint(error)}\n`, exit: codeOf(error) ?? 1 }
}

/** Of a build's command that failed: its own status. */
function codeOf(error: unknown): number | undefined {
  const code = error instanceof EngineError ? error.details?.['code'] : undefined
  return typeof code === 'number' && code > 0 && code < 256 ? code : undefined
}
