import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const AGENT = new URL('../integration/reach.test-agent.ts', import.meta.url).pathname

export type Protocol = 'tcp' | 'udp'

/** Somebody in one network namespace who serves ports and asks those of others. */
export interface Vantage extends AsyncDisposable {
  /** Serves at all addresses; each client is told the address that was seen of it. */
  serve(port: number, protocol?: Protocol): Promise<void>
  /** As which address one is seen there; undefined where nobody answers within `wait` milliseconds. */
  ask(
    address: string,
    port: number,
    options?: { readonly protocol?: Protocol; readonly wait?: number },
  ): Promise<string | undefined>
}

/** `namespace`: its file; absent: that of the test itself. */
export function openVantage(namespace?: string): Vantage {
  const command = [process.execPath, AGENT]
  const [file = '', ...args] = namespace === undefined ? command : ['nsenter', `--net=${namespace}`, ...command]
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const waiting = new Map<number, (answer: { readonly text?: string; readonly error?: string }) => void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line)
    waiting.get(answer.id)?.(answer)
    waiting.delete(answer.id)
  })
  let last = 0
  const order = (facts: object): Promise<{ readonly text?: string; readonly error?: string }> =>
    new Promise((resolve) => {
      last += 1
      waiting.set(last, resolve)
      child.stdin.write(`${JSON.stringify({ id: last, ...facts })}\n`)
    })
  return {
    async serve(port, protocol = 'tcp') {
      const { error } = await order({ op: 'serve', protocol, port })
      if (error !== undefined) throw new Error(error)
    },
    async ask(address, port, { protocol = 'tcp', wait = 3000 } = {}) {
      return (await order({ op: 'ask', protocol, address, port, wait })).text
    },
    async [Symbol.asyncDispose]() {
      child.kill()
      await ended
    },
  }
}
