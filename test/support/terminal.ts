import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** What to wait for in what was shown since the last step (`/^/` first: nothing), and what to type then. */
export type TerminalStep = readonly [shown: RegExp, typed: string]

export interface TerminalOutcome {
  readonly code: number
  /** All that was shown. */
  readonly screen: string
}

/** Milliseconds until a session that shows nothing more is given up. */
const PATIENCE = 30_000

/** Runs a program at a terminal of its own (util-linux' script) and types as it asks. */
export async function runAtTerminal(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  steps: readonly TerminalStep[],
): Promise<TerminalOutcome> {
  const command = words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ')
  const child = spawn('script', ['-qefc', `exec ${command}`, '/dev/null'], {
    env: { PATH: process.env['PATH'], TERM: 'xterm', HOME: '/nonexistent', ...env },
    timeout: PATIENCE,
    killSignal: 'SIGKILL',
  })
  const left = [...steps]
  let screen = ''
  let seen = 0
  const type = (): void => {
    const [step] = left
    if (!step?.[0].test(screen.slice(seen))) return
    seen = screen.length
    left.shift()
    child.stdin.write(Buffer.from(step[1], 'latin1'))
  }
  child.stdin.on('error', () => undefined)
  child.stdout.on('data', (chunk: Buffer) => {
    screen += chunk.toString('latin1')
    type()
  })
  type()
  await once(child, 'close')
  if (left.length > 0) throw new Error(`the terminal never showed ${String(left[0]?.[0])}:\n${screen}`)
  return { code: child.exitCode ?? 128, screen }
}
