import type { EventBus, EventType } from '#event'

/** What a prune gave back, in bytes: Docker tells of each, also of one that found nothing. */
export function tellPrune(events: EventBus, type: EventType, bytes: number): void {
  events.emit({ type, action: 'prune', actor: { id: '', attributes: { reclaimed: String(bytes) } } })
}
