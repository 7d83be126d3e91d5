import { isKind, type Log, messageOf } from '#base'
import { type NetlinkSocket, type NftChange, type NftSession, openNetlink, openNft, watchNft } from '#kernel'
import { forgetFlows } from './conntrack.ts'
import { containerElements, difference, type Element, elementCommands, networkElements, unique } from './element.ts'
import { filterFindings } from './finding.ts'
import { closeLegacy, hasLegacyFilter, legacyFindings, openLegacy } from './legacy.ts'
import { acceptCommands, acceptsFor, type Bridges, deleteCommands, obstacles } from './obstacle.ts'
import { isWhole, parseRuleset, type Ruleset } from './ruleset.ts'
import { applySettings, forwardingState } from './settings.ts'
import { tableCommands } from './table.ts'
import type { FilterContainer, FilterFinding, FilterNetwork, Firewall, HostPort } from './types.ts'

export interface FirewallOptions {
  /** The name of our table, of family inet. */
  readonly table: string
  readonly log: Log
}

/** Tables of other daemons of this engine: they drop nothing of ours. */
const SIBLING = /^mica(_|$)/
/** Between two looks at rules that others change again and again. Milliseconds. */
const CALM = 200
/** The older iptables tells nobody of its changes: looked at after so long. Milliseconds. */
const LEGACY_INTERVAL = 5000

/** The packet filter of one engine. Nothing is done to the kernel before the first `open()`. */
export function createFirewall(options: FirewallOptions): Firewall {
  return new TableFirewall(options)
}

interface KernelSide {
  readonly nft: NftSession
  /** Of NETLINK_NETFILTER. */
  readonly news: NetlinkSocket
  readonly flows: NetlinkSocket
}

class TableFirewall implements Firewall {
  readonly #table: string
  readonly #log: Log
  #networks: readonly FilterNetwork[] = []
  readonly #containers = new Map<string, FilterContainer>()
  /** What the kernel has of each network and container, by its id. */
  readonly #placed = new Map<string, readonly Element[]>()
  /** Links of networks that went, with accepts that may stand in tables of others. */
  readonly #left = new Set<string>()
  #built = false
  /** The generation of the kernel's rules at which all was right; undefined: to be looked at. */
  #seen: number | undefined
  #kernelSide: KernelSide | undefined
  #forgetting: Promise<void> = Promise.resolve()
  #queue: Promise<unknown> = Promise.resolve()
  #watch: Disposable | undefined
  #timers: { readonly legacy: NodeJS.Timeout } | undefined
  #pending: NodeJS.Timeout | undefined
  #checkedAt = Number.NEGATIVE_INFINITY

  constructor({ table, log }: FirewallOptions) {
    this.#table = table
    this.#log = log
  }

  open(networks: readonly FilterNetwork[]): Promise<void> {
    return this.#run(async () => {
      applySettings(networks)
      const changed = JSON.stringify(networks) !== JSON.stringify(this.#networks)
      const before = new Set(this.#networks.map(({ bridge }) => bridge))
      this.#networks = networks
      for (const { bridge } of networks) before.delete(bridge)
      for (const bridge of before) this.#left.add(bridge)
      if (changed && this.#built) await this.#move(this.#wanted())
      if (changed || !this.#built || this.#generation() !== this.#seen) await this.#check()
      this.#follow()
      if (changed && hasLegacyFilter()) await openLegacy(this.#bridges().all)
    })
  }

  setContainer(container: FilterContainer): Promise<void> {
    return this.#run(async () => {
      const ports = [...(this.#containers.get(container.container)?.ports ?? []), ...container.ports]
      this.#containers.set(container.container, container)
      if (!this.#built) return
      await this.#move(new Map([[container.container, containerElements(container, this.#networks)]]))
      this.#forget(ports)
    })
  }

  dropContainer(container: string): Promise<void> {
    return this.#run(async () => {
      const known = this.#containers.get(container)
      if (!known) return
      this.#containers.delete(container)
      if (this.#built) await this.#move(new Map([[container, []]]))
      this.#forget(known.ports)
    })
  }

  restore(containers: readonly FilterContainer[]): Promise<void> {
    return this.#run(async () => {
      this.#containers.clear()
      for (const container of containers) this.#containers.set(container.container, container)
      if (this.#built) await this.#move(this.#wanted())
    })
  }

  close(): Promise<void> {
    this[Symbol.dispose]()
    return this.#run(async () => {
      const bridges = new Set([...this.#bridges().all, ...this.#left])
      this.#networks = []
      this.#containers.clear()
      this.#placed.clear()
      this.#built = false
      const ruleset = await this.#list()
      const own = ruleset.chains.some(({ family, table }) => family === 'inet' && table === this.#table)
      const accepts = acceptsFor(ruleset, (link) => bridges.has(link), this.#table)
      const commands = `${deleteCommands(accepts)}${own ? `delete table inet ${this.#table}\n` : ''}`
      if (commands !== '') await this.#kernel().nft.run(commands)
      await this.#forgetting
      for (const side of Object.values<Disposable>({ ...this.#kernelSide })) side[Symbol.dispose]()
      this.#kernelSide = undefined
      if (hasLegacyFilter()) await closeLegacy(bridges)
    })
  }

  async diagnose(): Promise<readonly FilterFinding[]> {
    const forwarding = forwardingState() ?? 'off'
    const text = forwarding === 'on' ? 'on' : 'off; switched on with the first container on a bridge'
    return [
      { name: 'ip_forward', ok: true, text },
      ...(await filterFindings(() => this.#run(() => this.#list()), this.#bridges())),
      ...(await legacyFindings()),
    ]
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]()
    this.#watch = undefined
    clearTimeout(this.#pending)
    clearInterval(this.#timers?.legacy)
    this.#timers = undefined
  }

  /** One after the other. */
  #run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work)
    this.#queue = result.catch(() => undefined)
    return result
  }

  /** Flows without connections to these ports go on for some milliseconds; nobody waits for it. */
  #forget(ports: readonly HostPort[]): void {
    if (ports.every(({ protocol }) => protocol === 'tcp')) return
    const { flows } = this.#kernel()
    this.#forgetting = this.#forgetting
      .then(() => forgetFlows(flows, ports))
      .catch((error: unknown) => this.#log.warn('cannot forget flows', { error: messageOf(error) }))
  }

  #bridges(): Bridges {
    const names = (networks: readonly FilterNetwork[]) => new Set(networks.map(({ bridge }) => bridge))
    const six = names(this.#networks.filter(({ subnet6 }) => subnet6 !== undefined))
    return { all: names(this.#networks), six, table: this.#table }
  }

  #wanted(): ReadonlyMap<string, readonly Element[]> {
    const gone = [...this.#placed.keys()].map((owner): [string, readonly Element[]] => [owner, []])
    const networks = this.#networks.map((network): [string, readonly Element[]] => [
      network.id,
      networkElements(network),
    ])
    const containers = [...this.#containers.values()].map((container): [string, readonly Element[]] => [
      container.container,
      containerElements(container, this.#networks),
    ])
    return new Map([...gone, ...networks, ...containers])
  }

  #elements(): readonly Element[] {
    return unique([...this.#placed.values()].flat())
  }

  /** Changes what owners have in the sets, in one transaction; where that cannot be, the table is made anew. */
  async #move(owners: ReadonlyMap<string, readonly Element[]>): Promise<void> {
    const before = [...owners.keys()].flatMap((owner) => this.#placed.get(owner) ?? [])
    const { gone, come } = difference(before, [...owners.values()].flat())
    for (const [owner, elements] of owners) {
      if (elements.length > 0) this.#placed.set(owner, elements)
      else this.#placed.delete(owner)
    }
    const commands = elementCommands('delete', this.#table, gone) + elementCommands('add', this.#table, come)
    if (commands === '') return
    try {
      await this.#change('change', commands)
    } catch (error) {
      if (!isKind(error, 'internal')) throw error
      this.#log.warn('the packet filter was not as it was left; it is made anew', { error: messageOf(error) })
      await this.#change('run', tableCommands(this.#table, this.#elements()))
    }
  }

  /** A change of our own is no reason to look again; one of somebody else in between is. */
  async #change(how: 'run' | 'change', commands: string): Promise<void> {
    const before = this.#generation()
    await this.#kernel().nft[how](commands)
    const after = this.#generation()
    this.#seen = before === this.#seen && after === before + 1 ? after : undefined
  }

  /** Looks at all rules: our table is made anew where it is not whole, accepts are put where others drop. */
  async #check(): Promise<void> {
    this.#checkedAt = performance.now()
    if (!this.#built) await this.#build()
    this.#seen = this.#generation()
    const ruleset = await this.#list()
    const elements = this.#elements()
    if (!isWhole(ruleset, this.#table, elements)) await this.#change('run', tableCommands(this.#table, elements))
    const stale = acceptsFor(ruleset, (link) => this.#left.has(link), this.#table)
    const commands = acceptCommands(obstacles(ruleset, this.#bridges())) + deleteCommands(stale)
    if (commands !== '') await this.#change('run', commands)
    if (this.#left.size > 0 && hasLegacyFilter()) await closeLegacy(this.#left)
    this.#left.clear()
    if (this.#generation() !== this.#seen) this.#schedule()
  }

  /** Whatever stands there of an earlier daemon, also of one whose table was of family ip, is replaced. */
  async #build(): Promise<void> {
    for (const [owner, elements] of this.#wanted()) this.#placed.set(owner, elements)
    const earlier = `table ip ${this.#table}\ndelete table ip ${this.#table}\n`
    await this.#kernel().nft.run(earlier + tableCommands(this.#table, this.#elements()))
    this.#built = true
  }

  async #list(): Promise<Ruleset> {
    return parseRuleset(await this.#kernel().nft.list('ruleset'))
  }

  #follow(): void {
    this.#watch ??= watchNft((changes) => changes.forEach((change) => this.#hear(change)))
    this.#timers ??= { legacy: setInterval(() => this.#openLegacy(), LEGACY_INTERVAL).unref() }
  }

  /** What others do to tables that are no business of ours is passed by. */
  #hear({ generation: begun, tables }: NftChange): void {
    if (begun !== undefined && this.#seen !== undefined && begun <= this.#seen) return
    const ours = tables.some(({ table, elements }) =>
      table === this.#table ? true : !elements && !SIBLING.test(table),
    )
    if (begun === undefined || ours || begun - 1 !== this.#seen) this.#schedule()
    else this.#seen = begun
  }

  /** At once, but not again and again. */
  #schedule(): void {
    const pause = Math.max(0, this.#checkedAt + CALM - performance.now())
    this.#pending ??= setTimeout(() => {
      this.#pending = undefined
      const look = async (): Promise<void> => {
        if (this.#watch && this.#generation() !== this.#seen) await this.#check()
      }
      this.#run(look).catch((error: unknown) => {
        this.#log.warn('cannot set the packet filter right', { error: messageOf(error) })
      })
    }, pause).unref()
  }

  #openLegacy(): void {
    if (!hasLegacyFilter()) return
    this.#run(() => openLegacy(this.#bridges().all)).catch((error: unknown) => {
      this.#log.warn('cannot set the older packet filter right', { error: messageOf(error) })
    })
  }

  /** Kept open: closing would wait for all that was deleted. */
  #kernel(): KernelSide {
    return (this.#kernelSide ??= {
      nft: openNft(),
      news: openNetlink(NETLINK_NETFILTER),
      flows: openNetlink(NETLINK_NETFILTER),
    })
  }

  /** A number that the kernel raises with each change of its nftables rules. */
  #generation(): number {
    const request = Buffer.alloc(20)
    request.writeUInt16LE(GET_GENERATION, 4)
    const [reply] = this.#kernel().news.request(request)
    return reply?.readUInt32BE(24) ?? 0
  }
}

const NETLINK_NETFILTER = 12
const GET_GENERATION = (10 << 8) | 16
