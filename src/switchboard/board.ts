import { messageOf } from '#base'
import { createExchange } from './exchange.ts'
import { createForwards, type Forwards } from './forward.ts'
import { createHostServers } from './host-servers.ts'
import type { Order } from './line.ts'
import { createNetworkNames, type NetworkNames } from './names.ts'
import { openResolver, type Resolver, type ResolverParts } from './resolver.ts'
import type { SwitchboardName, SwitchboardSandbox, SwitchboardTable } from './types.ts'
import { createUpstream } from './upstream.ts'

/** What the process does: resolvers and forwards by the table that it was told. */
export interface Board {
  /** Throws where it cannot be carried out. */
  obey(order: Exclude<Order, { readonly op: 'stop' }>): Promise<void>
  readonly idle: boolean
}

export function createBoard(complain: (text: string) => void): Board {
  const board = new SwitchBoard(complain)
  return board
}

class SwitchBoard implements Board {
  readonly #names = new Map<string, NetworkNames>()
  readonly #resolvers = new Map<string, Resolver>()
  readonly #forwards: Forwards = createForwards()
  readonly #parts: ResolverParts
  readonly #complain: (text: string) => void

  constructor(complain: (text: string) => void) {
    this.#complain = complain
    this.#parts = {
      upstream: createUpstream(createExchange()),
      hostServers: createHostServers('/etc/resolv.conf'),
      namesOf: (network) => this.#names.get(network),
    }
  }

  get idle(): boolean {
    return this.#resolvers.size === 0 && this.#forwards.size === 0
  }

  async obey(order: Exclude<Order, { readonly op: 'stop' }>): Promise<void> {
    switch (order.op) {
      case 'restore':
        return await this.#restore(order.table)
      case 'sandbox':
        return this.#setSandbox(order.sandbox)
      case 'drop':
        return this.#drop(order.container)
      case 'names':
        return this.#setNames(order.network, order.names)
      case 'forwards':
        return await this.#forwards.set(order.container, order.forwards)
    }
  }

  /** What is not in the table goes; sockets that are open already stay open. One that fails does not keep the others. */
  async #restore(table: SwitchboardTable): Promise<void> {
    const sandboxes = new Set(table.sandboxes.map(({ container }) => container))
    for (const container of this.#resolvers.keys()) if (!sandboxes.has(container)) this.#close(container)
    for (const network of this.#names.keys()) if (!(network in table.names)) this.#names.delete(network)
    for (const [network, names] of Object.entries(table.names)) this.#setNames(network, names)
    for (const sandbox of table.sandboxes)
      try {
        this.#setSandbox(sandbox)
      } catch (error) {
        this.#complain(`cannot answer names in container ${sandbox.container}: ${messageOf(error)}`)
      }
    for (const container of this.#forwards.containers())
      if (!(container in table.forwards)) this.#forwards.drop(container)
    for (const [container, forwards] of Object.entries(table.forwards))
      try {
        await this.#forwards.set(container, forwards)
      } catch (error) {
        this.#complain(`cannot forward ports of container ${container}: ${messageOf(error)}`)
      }
  }

  #setSandbox(sandbox: SwitchboardSandbox): void {
    const known = this.#resolvers.get(sandbox.container)
    if (known) known.update(sandbox)
    else this.#resolvers.set(sandbox.container, openResolver(this.#parts, sandbox))
  }

  #setNames(network: string, names: readonly SwitchboardName[]): void {
    if (names.length === 0) this.#names.delete(network)
    else this.#names.set(network, createNetworkNames(names))
  }

  #drop(container: string): void {
    this.#close(container)
    this.#forwards.drop(container)
  }

  #close(container: string): void {
    this.#resolvers.get(container)?.[Symbol.dispose]()
    this.#resolvers.delete(container)
  }
}
