import { cancelled } from '#base'
import type { Engine } from '#engine'
import type { EngineEvent } from '#event'
import { checkFilterNames, type EventJson, type Filters, parseTimestamp } from '#wire'
import type { Exchange } from './exchange.ts'
import type { Route } from './route.ts'
import { wallClock } from './time-text.ts'

const FILTERS = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
]
/** Their actions go on with a colon and the command or the state: the filter's value is a prefix. */
const OPEN_ACTIONS = new Set(['health_status', 'exec_create', 'exec_start'])

export function eventRoutes({ events }: Pick<Engine, 'events'>): readonly Route[] {
  return [{ method: 'GET', pattern: '/events', handle: (exchange) => follow(events, exchange) }]
}

async function follow(events: Engine['events'], { query, stream, signal }: Exchange): Promise<void> {
  const filters = query.filters()
  checkFilterNames(filters, FILTERS)
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

/** Docker's rules: of each filter that is given, one value fits; of labels all. */
export function isWanted(event: EngineEvent, filters: Filters): boolean {
  return FILTERS.every((name) => {
    const values = filters.get(name) ?? []
    if (values.length === 0) return true
    return name === 'label'
      ? values.every((value) => hasLabel(event.actor.attributes, value))
      : values.some((value) => fits(event, name, value))
  })
}

function fits(event: EngineEvent, name: string, value: string): boolean {
  switch (name) {
    case 'type':
      return event.type === value
    case 'scope':
      return value === 'local'
    case 'event':
      return event.action === value || (OPEN_ACTIONS.has(value) && event.action.startsWith(value))
    case 'image':
      return imageNames(event).includes(value)
    default:
      return event.type === name && isActor(event, value)
  }
}

/** By the beginning of its id or name. */
function isActor({ actor }: EngineEvent, value: string): boolean {
  return actor.id.startsWith(value) || actor.attributes['name']?.startsWith(value) === true
}

/** An event's image by each of its names, with and without tag. */
function imageNames({ type, actor }: EngineEvent): readonly string[] {
  const name = actor.attributes[type === 'image' ? 'name' : 'image'] ?? ''
  const withoutTag = (text: string): string => text.replace(/@.*$/, '').replace(/:[^/:]*$/, '')
  return [actor.id, name, withoutTag(actor.id), withoutTag(name)].filter((text) => text !== '')
}

function hasLabel(attributes: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=')
  return at < 0 ? Object.hasOwn(attributes, wanted) : attributes[wanted.slice(0, at)] === wanted.slice(at + 1)
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
