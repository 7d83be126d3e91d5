import { constants } from 'node:os'
import { isKind, type Log, messageOf, sleep } from '#base'
import { killProcess, processExited } from '#kernel'
import type { Order } from './line.ts'
import { codeOf, findProcess, type ProcessLine, type ProcessPlace, startProcess } from './process.ts'
import type { Switchboard, SwitchboardForward, SwitchboardName, SwitchboardSandbox, SwitchboardTable } from './types.ts'

export interface SwitchboardOptions extends ProcessPlace {
  readonly log: Log
}

/** Nothing is started before something needs it. */
export function createSwitchboard(options: SwitchboardOptions): Switchboard {
  return new ProcessSwitchboard(options)
}

/** Pauses between attempts to bring an ended process back. Milliseconds. */
const PAUSE = { first: 0, most: 5000 } as const
/** How often an order that was lost with its process is given again. */
const ATTEMPTS = 3

class ProcessSwitchboard implements Switchboard {
  readonly #options: SwitchboardOptions
  readonly #sandboxes = new Map<string, SwitchboardSandbox>()
  readonly #names = new Map<string, readonly SwitchboardName[]>()
  readonly #forwards = new Map<string, readonly SwitchboardForward[]>()
  #line: Promise<ProcessLine> | undefined
  #closing = false

  constructor(options: SwitchboardOptions) {
    this.#options = options
  }

  async restore(table: SwitchboardTable): Promise<void> {
    for (const known of [this.#sandboxes, this.#names, this.#forwards]) known.clear()
    for (const sandbox of table.sandboxes) this.#sandboxes.set(sandbox.container, sandbox)
    for (const [network, names] of Object.entries(table.names)) this.#names.set(network, names)
    for (const [container, forwards] of Object.entries(table.forwards)) this.#forwards.set(container, forwards)
    if (!this.#needed) await this.#endOld()
    // Who is connected already got the table of that moment.
    else if (this.#line) await this.#tell({ op: 'restore', table: this.#table })
    else await this.#connected()
  }

  warm(): void {
    this.#connected().catch((error: unknown) => {
      this.#options.log.warn('cannot start the resolver of containers', { error: messageOf(error) })
    })
  }

  async setSandbox(sandbox: SwitchboardSandbox): Promise<void> {
    this.#sandboxes.set(sandbox.container, sandbox)
    try {
      await this.#tell({ op: 'sandbox', sandbox })
    } catch (error) {
      this.#sandboxes.delete(sandbox.container)
      throw error
    }
  }

  async dropSandbox(container: string): Promise<void> {
    const known = this.#sandboxes.delete(container)
    const forwarded = this.#forwards.delete(container)
    if (known || forwarded) await this.#tellIfThere({ op: 'drop', container })
  }

  async setNames(network: string, names: readonly SwitchboardName[]): Promise<void> {
    if (names.length === 0) this.#names.delete(network)
    else this.#names.set(network, names)
    await this.#tellIfThere({ op: 'names', network, names })
  }

  async setForwards(container: string, forwards: readonly SwitchboardForward[]): Promise<void> {
    if (forwards.length === 0) {
      if (this.#forwards.delete(container)) await this.#tellIfThere({ op: 'forwards', container, forwards })
      return
    }
    const before = this.#forwards.get(container)
    this.#forwards.set(container, forwards)
    try {
      await this.#tell({ op: 'forwards', container, forwards })
    } catch (error) {
      if (before) this.#forwards.set(container, before)
      else this.#forwards.delete(container)
      throw error
    }
  }

  async stop(): Promise<void> {
    this.#closing = true
    this.#sandboxes.clear()
    this.#forwards.clear()
    await this.#endOld()
  }

  /** The process goes on, and ends by itself where it has nothing to do. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true
    const line = await this.#line?.catch(() => undefined)
    line?.[Symbol.dispose]()
  }

  get #needed(): boolean {
    return this.#sandboxes.size > 0 || this.#forwards.size > 0
  }

  get #table(): SwitchboardTable {
    return {
      sandboxes: [...this.#sandboxes.values()],
      names: Object.fromEntries(this.#names),
      forwards: Object.fromEntries(this.#forwards),
    }
  }

  /** An order that is lost with the process is part of the table that the next one gets. */
  async #tell(order: Order): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const line = await this.#connected()
      try {
        return await line.tell(order)
      } catch (error) {
        if (!line.lost || attempt === ATTEMPTS) throw error
      }
    }
  }

  /** Without a process there is nobody to tell: it will read the table. */
  async #tellIfThere(order: Order): Promise<void> {
    if (!this.#line) return
    try {
      const line = await this.#line
      await line.tell(order)
    } catch (error) {
      if (!isKind(error, 'unavailable')) throw error
    }
  }

  #connected(): Promise<ProcessLine> {
    if (this.#line) return this.#line
    const line = this.#open()
    this.#line = line
    line.then(
      (opened) => void opened.closed.then(() => this.#lost(line)),
      () => {
        if (this.#line === line) this.#line = undefined
      },
    )
    return line
  }

  /** One that had nothing to do may end just as it is found: then another is started. */
  async #open(): Promise<ProcessLine> {
    for (let attempt = 1; ; attempt += 1) {
      const line = await this.#findOrStart()
      try {
        await line.tell({ op: 'restore', table: this.#table })
        return line
      } catch (error) {
        if (!line.lost || attempt === ATTEMPTS) throw error
      }
    }
  }

  async #findOrStart(): Promise<ProcessLine> {
    const found = await findProcess(this.#options)
    if (found?.code === codeOf(this.#options)) return found.line
    if (found) await endProcess(found.line)
    return await startProcess(this.#options)
  }

  /** It ended by itself or was killed: those who depend on it get another one. */
  #lost(line: Promise<ProcessLine>): void {
    if (this.#line === line) this.#line = undefined
    if (this.#closing || !this.#needed) return
    this.#options.log.warn('the resolver of containers ended, it is started again')
    void this.#bringBack()
  }

  async #bringBack(): Promise<void> {
    for (
      let pause: number = PAUSE.first;
      !this.#closing && this.#needed;
      pause = Math.min(2 * pause + 100, PAUSE.most)
    ) {
      await sleep(pause)
      try {
        await this.#connected()
        return
      } catch (error) {
        this.#options.log.error('cannot start the resolver of containers', { error: messageOf(error) })
      }
    }
  }

  async #endOld(): Promise<void> {
    const line = (await this.#line?.catch(() => undefined)) ?? (await findProcess(this.#options))?.line
    if (line) await endProcess(line)
  }
}

/** How long a process may take to end by itself. Milliseconds. */
const PATIENCE = 2000

/** Resolves when it has gone; one that does not go is killed. */
async function endProcess(line: ProcessLine): Promise<void> {
  const exited = processExited(line.pid)
  line.tell({ op: 'stop' }).catch(() => undefined)
  const over = new AbortController()
  const late = sleep(PATIENCE, over.signal).then(
    () => killProcess(line.pid, constants.signals.SIGKILL),
    () => false,
  )
  await Promise.race([exited, late])
  over.abort()
  await exited
  line[Symbol.dispose]()
}
