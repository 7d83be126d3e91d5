import { unsupported } from '#base'
import type { SwitchboardForward } from './types.ts'
import { forwardDatagrams } from './forward-datagrams.ts'
import { forwardStreams } from './forward-streams.ts'

/** Ports of the host that this process carries to containers. */
export interface Forwards {
  readonly size: number
  containers(): readonly string[]
  /** All of one container, what it had before included; those that stay are not interrupted. Rejects, having undone the new ones, where a place is taken. */
  set(container: string, forwards: readonly SwitchboardForward[]): Promise<void>
  drop(container: string): void
}

export function createForwards(): Forwards {
  const open = new Map<string, Map<string, Disposable>>()
  const drop = (container: string): void => {
    for (const forward of open.get(container)?.values() ?? []) forward[Symbol.dispose]()
    open.delete(container)
  }
  return {
    get size() {
      return open.size
    },
    containers: () => [...open.keys()],
    drop,
    async set(container, forwards) {
      const known = open.get(container) ?? new Map<string, Disposable>()
      const wanted = new Map(forwards.map((forward) => [JSON.stringify(forward), forward]))
      const kept = [...known].filter(([key]) => wanted.has(key))
      // A port that leads elsewhere now is free to be listened at again.
      for (const [key, forward] of known) if (!wanted.has(key)) forward[Symbol.dispose]()
      open.set(container, new Map(kept))
      const fresh = new Map<string, Disposable>()
      try {
        for (const [key, forward] of wanted) if (!known.has(key)) fresh.set(key, await openForward(forward))
      } catch (error) {
        for (const forward of fresh.values()) forward[Symbol.dispose]()
        throw error
      }
      if (wanted.size === 0) open.delete(container)
      else open.set(container, new Map([...kept, ...fresh]))
    },
  }
}

function openForward(forward: SwitchboardForward): Promise<Disposable> {
  switch (forward.protocol) {
    case 'tcp':
      return forwardStreams(forward)
    case 'udp':
      return forwardDatagrams(forward)
    case 'sctp':
      throw unsupported(`cannot carry port ${forward.listen.port}/sctp: only the kernel does that, for IPv4`)
  }
}
