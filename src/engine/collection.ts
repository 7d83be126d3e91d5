import { messageOf } from '#base'
import type { Log } from '#base'
import type { EventBus } from '#event'
import type { OpenContentStore } from '#store/content'
import type { Collector, GarbageCollector } from '#store/gc'
import type { OpenSnapshots } from '#store/snapshot'

/** After a removal others often follow (`rm` of ten containers): one collection for all of them. Milliseconds. */
const SOON = 300

export interface Collection {
  /** Who says what is kept, and what by. */
  readonly collectors: readonly Collector[]
  /** Removes what nothing reaches now, as somebody asked for it; with `downloads` interrupted ones too. Bytes of blocks that came back. */
  now(options?: { readonly downloads: boolean }): Promise<number>
  /** The same after a removal that somebody waits for: a failure is logged, for what was asked has been done. */
  afterRemoval(): Promise<void>
  /** The same in a moment; callers in between share it. */
  soon(): void
  /** No more; waits for one that is under way. */
  stop(): Promise<void>
}

export interface CollectionParts {
  readonly collector: GarbageCollector
  readonly collectors: readonly Collector[]
  readonly snapshots: Pick<OpenSnapshots, 'settle'>
  readonly content: Pick<OpenContentStore, 'discardInterrupted'>
  readonly log: Log
}

export function scheduleCollection({ collector, collectors, snapshots, content, log }: CollectionParts): Collection {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()
  let stopped = false
  const collect = async (): Promise<number> => {
    clearTimeout(timer)
    timer = undefined
    const { bytes } = await collector.collect()
    return bytes
  }
  const collectQuietly = async (): Promise<void> => {
    try {
      await collect()
    } catch (error) {
      log.error('cannot collect what is not needed any more', { error: messageOf(error) })
    }
  }
  const afterRemoval = async (): Promise<void> => {
    const mine = collectQuietly()
    running = mine
    await mine
  }
  return {
    collectors,
    async now(options) {
      const discarded = options?.downloads === true ? await content.discardInterrupted() : 0
      const collected = await collect()
      await snapshots.settle()
      return discarded + collected
    },
    afterRemoval,
    soon() {
      if (!stopped) timer ??= setTimeout(() => void afterRemoval(), SOON).unref()
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}

/** What is said when something went that held resources; a commit may have copied a tree for nothing. */
const REMOVALS: ReadonlySet<string> = new Set(['container commit', 'container destroy', 'image delete', 'image untag'])

/** Asks for a collection after each removal that the bus tells of. */
export function collectAfterRemovals(events: EventBus, collection: Collection): Disposable {
  const stop = new AbortController()
  const listen = async (): Promise<void> => {
    for await (const event of events.follow({ signal: stop.signal }))
      if (REMOVALS.has(`${event.type} ${event.action}`)) collection.soon()
  }
  void listen()
  return { [Symbol.dispose]: () => stop.abort() }
}
