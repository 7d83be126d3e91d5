import { EngineError } from '#base'

/** What is wrong with the words typed: printed with the command's usage, ends with `exit` (docker's: 125 for flags, 1 for counts). */
export class CommandLineError extends EngineError {
  readonly exit: number
  /** What follows the message: usage and where help is; empty where the message says it all. */
  readonly advice: string

  constructor(message: string, facts: { readonly exit: number; readonly advice?: string }) {
    super('invalid', message)
    this.exit = facts.exit
    this.advice = facts.advice ?? ''
  }
}
