import { addressBytes } from '#kernel'
import { addressKey } from './address-name.ts'
import type { SwitchboardName } from './types.ts'

/** The addresses of one name: four bytes each, and sixteen. */
export interface NameEntry {
  readonly four: Rotation
  readonly six: Rotation
}

/** Each time the next address comes first: who takes the first spreads over all. */
export interface Rotation {
  next(): readonly Uint8Array[]
}

/** The names of one network. */
export interface NetworkNames {
  /** `name` in small letters. */
  find(name: string): NameEntry | undefined
  /** What an address is called; see `addressKey`. */
  nameOf(key: string): string | undefined
}

export function createNetworkNames(names: readonly SwitchboardName[]): NetworkNames {
  const entries = new Map<string, { readonly four: Uint8Array[]; readonly six: Uint8Array[] }>()
  const reverse = new Map<string, string>()
  for (const { name, addresses } of names) {
    const key = name.toLowerCase()
    const entry = entries.get(key) ?? { four: [], six: [] }
    entries.set(key, entry)
    for (const address of addresses) {
      const bytes = addressBytes(address)
      addOnce(bytes.length === 4 ? entry.four : entry.six, bytes)
      const place = addressKey(address)
      if (!reverse.has(place)) reverse.set(place, name)
    }
  }
  const found = new Map([...entries].map(([key, { four, six }]) => [key, { four: rotate(four), six: rotate(six) }]))
  return { find: (name) => found.get(name), nameOf: (key) => reverse.get(key) }
}

function addOnce(list: Uint8Array[], bytes: Uint8Array): void {
  if (!list.some((one) => Buffer.compare(one, bytes) === 0)) list.push(bytes)
}

function rotate(addresses: readonly Uint8Array[]): Rotation {
  let turn = 0
  return {
    next() {
      if (addresses.length < 2) return addresses
      turn = (turn + 1) % addresses.length
      return [...addresses.slice(turn), ...addresses.slice(0, turn)]
    },
  }
}
