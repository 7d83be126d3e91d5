import { cancelled, invalid } from '#base'
import type { Engine } from '#engine'
import type { EngineEvent } from '#event'
import { checkFilterNames, type EventJson, parseTimestamp } from '#wire'
import { type Exchange, type Route, wallClock } from '#api/exchange'
import { EVENT_FILTERS, isWanted } from './event-filter.ts'

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
  if (since !== undefined && until !== undefined && since > until) {
    const [first, last] = [query.text('since'), query.text('until')]
    throw invalid(`\`since\` time (${first}) cannot be after \`until\` time (${last})`)
  }
  const output = stream('application/json')
  const bounds = { ...(since !== undefined && { since }), ...(until !== undefined && { until }) }
  for await (const event of events.follow({ ...bounds, signal })) {
    if (isWanted(event, filters)) await output.write(`${encodeEvent(event)}\n`)
  }
  if (signal.aborted) throw cancelled('events')
  output.end()
}

/** All digits of the nanoseconds, which are more than a number of JavaScript holds; the attributes by name. */
export function encodeEvent(event: EngineEvent): string {
  return `${JSON.stringify(eventJson(event)).slice(0, -1)},"timeNano":${event.time}}`
}

/** Containers and images keep the members that clients of old read. */
function eventJson({ type, action, actor, time }: EngineEvent): Omit<EventJson, 'timeNano'> {
  const { id, attributes } = actor
  const isOld = type === 'container' || type === 'image'
  const from = type === 'container' ? (attributes['image'] ?? '') : ''
  return {
    ...(isOld && { status: action, ...(id !== '' && { id }), ...(from !== '' && { from }) }),
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: sorted(attributes) },
    scope: 'local',
    time: Number(time / 1_000_000_000n),
  }
}

function sorted(attributes: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(attributes).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}
