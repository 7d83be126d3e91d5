import { shortId } from '#base'
import assert from 'node:assert/strict'
import { resourceKey } from './resource.ts'
import type { Lease, LeaseHolding, Leases, Resource } from './types.ts'

/** Kept in memory: they are worth nothing without the process whose work they stand for. */
export function createLeases(): Leases {
  const open = new Map<string, OpenLease>()
  return {
    async open(purpose) {
      const lease = new OpenLease(purpose, () => open.delete(lease.id))
      open.set(lease.id, lease)
      return lease
    },
    list: () => [...open.values()].map((lease) => lease.holding()),
    held() {
      const all = new Map<string, Resource>()
      for (const lease of open.values()) for (const [key, resource] of lease.resources) all.set(key, resource)
      return [...all.values()]
    },
  }
}

class OpenLease implements Lease {
  readonly id = shortId()
  readonly resources = new Map<string, Resource>()
  readonly #purpose: string
  readonly #ended: () => void
  #isOpen = true

  constructor(purpose: string, ended: () => void) {
    this.#purpose = purpose
    this.#ended = ended
  }

  hold(...resources: readonly Resource[]): void {
    assert(this.#isOpen, `lease ${this.id} has ended and holds nothing`)
    for (const { kind, id } of resources) this.resources.set(resourceKey({ kind, id }), { kind, id })
  }

  holding(): LeaseHolding {
    return { id: this.id, purpose: this.#purpose, resources: [...this.resources.values()] }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false
    this.#ended()
  }
}
