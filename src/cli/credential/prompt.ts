import { cancelled } from '#base'
import type { Io } from '#cli/kit'

/** Questions at a terminal, one after the other. */
export interface Prompt {
  /** The line typed. */
  line(question: string): Promise<string>
  /** The same without showing what is typed. Throws `cancelled` at ctrl-c. */
  secret(question: string): Promise<string>
}

const CTRL_C = 3
const CTRL_D = 4
const BACKSPACES: readonly number[] = [8, 127]

export function createPrompt({ stdin, stdout }: Io): Prompt {
  const bytes = eachByte(stdin.bytes)
  const read = async (): Promise<string> => {
    const typed: number[] = []
    for (let next = await bytes.next(); next.done !== true; next = await bytes.next()) {
      const byte = next.value
      if (byte === 10 || byte === 13 || byte === CTRL_D) break
      if (byte === CTRL_C) throw cancelled('login')
      if (BACKSPACES.includes(byte)) typed.splice(lastLetter(typed))
      else typed.push(byte)
    }
    return Buffer.from(typed).toString()
  }
  return {
    line(question) {
      stdout.write(question)
      return read()
    },
    async secret(question) {
      using _ = stdin.raw()
      stdout.write(question)
      try {
        return await read()
      } finally {
        stdout.write('\r\n')
      }
    },
  }
}

/** Where the last letter begins: in UTF-8 it may be several bytes. */
function lastLetter(bytes: readonly number[]): number {
  const at = bytes.findLastIndex((byte) => (byte & 0xc0) !== 0x80)
  return Math.max(at, 0)
}

/** Left open between questions: what was typed ahead belongs to the next one. */
async function* eachByte(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<number> {
  for await (const chunk of chunks) yield* chunk
}
