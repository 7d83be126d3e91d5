export type EventType = 'container' | 'image' | 'network' | 'volume' | 'builder' | 'daemon'

/** A fact that happened. */
export interface EngineEvent {
  readonly type: EventType
  /** Docker's word: `create`, `start`, `die`, `pull` … */
  readonly action: string
  readonly actor: { readonly id: string; readonly attributes: Readonly<Record<string, string>> }
  /** Nanoseconds since the epoch. */
  readonly time: bigint
}

export interface EventBus {
  /** Stamps the fact with the clock's time and hands it to all listeners; never throws, never waits. */
  emit(event: Omit<EngineEvent, 'time'>): void
  /** The kept events from `since` on (nanoseconds), then live ones, until the signal is aborted or `until` is past. */
  follow(options: {
    readonly since?: bigint
    readonly until?: bigint
    readonly signal?: AbortSignal
  }): AsyncIterable<EngineEvent>
}
