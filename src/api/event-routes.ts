import { cancelled } from '#base'
import type { Engine } from '#engine'
import type { EngineEvent } from '#event'
import { checkFilterNames, type EventJson, parseTimestamp } from '#wire'
import { EVENT_FILTERS, isWanted } from './event-filter.ts'
import type { Exchange } from './exchange.ts'
import type { Route } from './route.ts'
import { wallClock } from './time-text.ts'

export function eventRoutes({ events }: Pick<Engine, 'events'>): readonly Route[] {
  return [{ method: 'GET', pattern: '/events', handle: (exchange) => follow(events, exchange) }]
}

async function follow(events: Engine['events'], { query, stream, signal }: Exchange): Promise<void> {
  const filters = query.filters()
  checkFilterNames(filters, EVENT_FILTERS)
  const now = wallClock()
  const [since, until] = ['since', 'until'].map((name) => {
    const text = query.text(name)
    return text === undefined ? undefined : parseTimestamp(text, now)
  })
  const output = stream('application/json')
  const bounds = { ...(since !== undefined && { since }), ...(until !== undefined && { until }) }
  for await (const event of events.follow({ ...bounds, signal })) {
    if (isWanted(event, filters)) await output.write(`${JSON.stringify(eventJson(event))}\n`)
  }
  if (signal.aborted) throw cancelled('events')
  output.end()
}

/** Containers and images keep the members that clients of old read. */
function eventJson({ type, action, actor, time }: EngineEvent): EventJson {
  const old =
    type === 'container'
      ? { status: action, id: actor.id, from: actor.attributes['image'] ?? '' }
      : type === 'image'
        ? { status: action, id: actor.id }
        : {}
  return {
    ...old,
    Type: type,
    Action: action,
    Actor: { ID: actor.id, Attributes: actor.attributes },
    scope: 'local',
    time: Number(time / 1_000_000_000n),
    timeNano: Number(time),
  }
}
