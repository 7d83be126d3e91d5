import type { EngineEvent } from '#event'
import type { Filters } from '#wire'

/** What events can be chosen by; some are of things that mica does not have. */
export const EVENT_FILTERS = [
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

/** Docker's rules: of each filter that is given, one value fits; of labels all. */
export function isWanted(event: EngineEvent, filters: Filters): boolean {
  return EVENT_FILTERS.every((name) => {
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
