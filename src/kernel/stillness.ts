import { readFileSync } from 'node:fs'

/** Of a thread or process: for how long it has been in one and the same call of the kernel, asleep or stopped. */
export class Stillness {
  readonly #path: string
  #seen: string | undefined
  #since = 0

  /** `place`: its folder in /proc. */
  constructor(place: string) {
    this.#path = `${place}/status`
  }

  /** What it does begins now. */
  begin(): void {
    this.#seen = undefined
  }

  /** True where a signal or a debugger stopped it. */
  get isStopped(): boolean {
    return /^State:\s+[Tt]/m.test(this.#read())
  }

  /** Milliseconds; to be asked again and again. One that wakes, works or wants a processor is not still. */
  look(now: number): number {
    const seen = this.#sleep()
    if (seen === undefined || seen !== this.#seen) this.#since = now
    this.#seen = seen
    return now - this.#since
  }

  /** Changes whenever it wakes (proc(5): state, and how often it got and left a processor). */
  #sleep(): string | undefined {
    const text = this.#read()
    return /^State:\s+[SDTt]/m.test(text) ? text.slice(text.indexOf('voluntary_ctxt_switches')) : undefined
  }

  /** Empty where it has gone. */
  #read(): string {
    try {
      return readFileSync(this.#path, 'latin1')
    } catch {
      return ''
    }
  }
}
