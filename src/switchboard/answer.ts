import { reverseKey } from './address-name.ts'
import { CODE, encodeAnswer, encodeName, type Query, refuseVersion, type ResourceRecord, TYPE } from './message.ts'
import type { NameEntry, NetworkNames } from './names.ts'
import type { SwitchboardNetwork } from './types.ts'

/** What one sandbox may know. */
export interface View {
  readonly networks: readonly SwitchboardNetwork[]
  /** Options of its resolv.conf. */
  readonly options: readonly string[]
  readonly namesOf: (network: string) => NetworkNames | undefined
}

/** An answer out of the table, or that somebody else is to be asked. */
export type Outcome = { readonly answer: Buffer } | 'ask'

/**
 * Answers what is known: a name that exists without what was asked for is answered by nothing, so nobody waits. `limit`:
 * bytes that the answer may have.
 */
export function answerFrom(view: View, query: Query, limit: number): Outcome {
  if (query.badVersion) return { answer: refuseVersion(query) }
  if (!query.internet) return 'ask'
  if (query.type === TYPE.ptr) {
    const name = reverseName(view, query.name)
    const data = name === undefined ? undefined : encodeName(name)
    if (data) return { answer: encodeAnswer(query, CODE.none, [{ type: TYPE.ptr, data }], limit) }
  }
  const entry = findName(view, query.name)
  if (entry) return { answer: encodeAnswer(query, CODE.none, recordsOf(entry, query.type), limit) }
  // The client is to come back with its search domain.
  if (isAddressType(query.type) && !query.name.includes('.') && keepsShortNames(view))
    return { answer: encodeAnswer(query, CODE.none, [], limit) }
  return 'ask'
}

function isAddressType(type: number): boolean {
  return type === TYPE.a || type === TYPE.aaaa
}

function recordsOf(entry: NameEntry, type: number): readonly ResourceRecord[] {
  const four = type === TYPE.a || type === TYPE.any ? entry.four.next() : []
  const six = type === TYPE.aaaa || type === TYPE.any ? entry.six.next() : []
  return [...four.map((data) => ({ type: TYPE.a, data })), ...six.map((data) => ({ type: TYPE.aaaa, data }))]
}

/** In each network in turn; then without the network's own name behind it. */
function findName(view: View, name: string): NameEntry | undefined {
  for (const network of view.networks) {
    const found = findIn(view, network, name)
    if (found) return found
  }
  for (const network of view.networks) {
    const suffix = `.${network.name.toLowerCase()}`
    const found = name.endsWith(suffix) ? findIn(view, network, name.slice(0, -suffix.length)) : undefined
    if (found) return found
  }
  return undefined
}

function findIn(view: View, network: SwitchboardNetwork, name: string): NameEntry | undefined {
  const names = view.namesOf(network.id)
  const link = network.links.find(({ alias }) => alias.toLowerCase() === name)
  const linked = link && findTarget(names, link.target.toLowerCase())
  return linked ?? names?.find(name)
}

/** By its name, or by its id, of which the first twelve digits are a name. */
function findTarget(names: NetworkNames | undefined, target: string): NameEntry | undefined {
  const plain = target.replace(/^\//, '')
  return names?.find(plain) ?? (/^[0-9a-f]{12,64}$/.test(plain) ? names?.find(plain.slice(0, 12)) : undefined)
}

function reverseName(view: View, name: string): string | undefined {
  const key = reverseKey(name)
  if (key === undefined) return undefined
  for (const network of view.networks) {
    const found = view.namesOf(network.id)?.nameOf(key)
    if (found !== undefined) return `${found}.${network.name}`
  }
  return undefined
}

/** `ndots:1` and above in its resolv.conf: names without a dot are nobody else's business. */
function keepsShortNames({ options }: View): boolean {
  return options.some((option) => /^ndots:0*[1-9]/.test(option))
}
