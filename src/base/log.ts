import { redact } from './error.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** The daemon's own log: one JSON object a line, secrets redacted. */
export interface Log {
  debug(message: string, facts?: Readonly<Record<string, unknown>>): void
  info(message: string, facts?: Readonly<Record<string, unknown>>): void
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void
  error(message: string, facts?: Readonly<Record<string, unknown>>): void
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const at =
    (mine: LogLevel) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}): void => {
      if (RANK[mine] < RANK[level]) return
      write(`${redact(JSON.stringify({ time: new Date().toISOString(), level: mine, message, ...facts }))}\n`)
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

export function silentLog(): Log {
  return createLog('error', () => undefined)
}
