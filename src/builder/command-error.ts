import { EngineError } from '#base'

/** A RUN that ended with another status than 0; the message is Docker's own. */
export class CommandError extends EngineError {
  readonly exitCode: number
  /** The last lines that it wrote. */
  readonly lastLines: string

  constructor(line: string, exitCode: number, lastLines: string) {
    super('invalid', `The command '${line}' returned a non-zero code: ${exitCode}`, { details: { exitCode } })
    this.name = 'CommandError'
    this.exitCode = exitCode
    this.lastLines = lastLines
  }
}

const KEPT = 4096

/** Keeps the end of what passes by. */
export function createTail(): { add(chunk: Uint8Array): void; text(): string } {
  let kept = Buffer.alloc(0)
  return {
    add(chunk) {
      const joined = Buffer.concat([kept, chunk])
      kept = joined.length > KEPT ? joined.subarray(joined.length - KEPT) : joined
    },
    text: () => kept.toString('utf8'),
  }
}
