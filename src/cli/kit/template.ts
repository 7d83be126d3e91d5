import { unsupported } from '#base'

/**
 * The small part of Go's templates that this client knows: text with `{{.Field.Sub}}`, `{{json .Field}}`, `{{len .Field}}`,
 * `{{index .Field "key"}}`, and the escapes \t and \n. What is more than that is refused by name.
 */
export function formatTemplate(template: string, value: unknown): string {
  return unescape(template).replace(/\{\{(.*?)\}\}/gs, (_, action: string) => act(action.trim(), value, template))
}

function unescape(template: string): string {
  return template.replaceAll('\\t', '\t').replaceAll('\\n', '\n')
}

function act(action: string, value: unknown, template: string): string {
  const [, word, path, key] = /^(?:(json|len|index)\s+)?(\.[\w.]*)(?:\s+"([^"]*)")?$/.exec(action) ?? []
  if (path === undefined || (word === 'index') !== (key !== undefined)) {
    throw unsupported(
      `cannot use the format ${template}: {{${action}}} is not known yet; fields, json, len and index are`,
    )
  }
  const found = walk(value, path, template)
  if (word === 'json') return JSON.stringify(found ?? null)
  if (word === 'len') return String(lengthOf(found))
  return show(key === undefined ? found : member(found, key))
}

function walk(value: unknown, path: string, template: string): unknown {
  let found = value
  for (const name of path.split('.').filter((part) => part !== '')) {
    if (!isRecord(found) || !Object.hasOwn(found, name))
      throw unsupported(`cannot use the format ${template}: there is no field .${name}`)
    found = found[name]
  }
  return found
}

function member(value: unknown, key: string): unknown {
  return isRecord(value) && Object.hasOwn(value, key) ? value[key] : ''
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length
  return isRecord(value) ? Object.keys(value).length : 0
}

/** As Go prints values: lists in brackets, maps with their word. */
function show(value: unknown): string {
  if (value === null || value === undefined) return '<no value>'
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`
  if (isRecord(value)) {
    const inner = Object.entries(value)
      .sort(([one], [two]) => (one < two ? -1 : 1))
      .map(([key, one]) => `${key}:${show(one)}`)
    return `map[${inner.join(' ')}]`
  }
  return typeof value === 'string' ? value : JSON.stringify(value)
}
