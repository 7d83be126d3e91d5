import { setForm } from '#cli/template'

export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Maps of the API's objects, which Go writes by the order of their keys. */
const MAPS: ReadonlySet<string> = new Set([
  'Annotations',
  'Containers',
  'DriverOpts',
  'ExposedPorts',
  'Labels',
  'Networks',
  'Options',
  'PortBindings',
  'Ports',
  'Sysctls',
  'Tmpfs',
  'Volumes',
])

/** The same with the keys of its maps in order. */
export function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (!isObject(value)) return value
  const members = Object.entries(value).map(([name, member]) => {
    const inner = inOrder(member)
    return [name, MAPS.has(name) && isObject(inner) ? sorted(inner) : inner] as const
  })
  return Object.fromEntries(members)
}

function sorted(map: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(map).sort(([one], [other]) => (one < other ? -1 : 1)))
}

/** Members of an image's config in the order of the image specification's type in docker's client. */
const IMAGE_CONFIG = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'ArgsEscaped',
  'Healthcheck',
  'OnBuild',
  'Shell',
] as const

/** An image's config is written without what is empty: docker's client reads it as one of the image specification. */
export function typed(found: unknown): unknown {
  if (!isObject(found) || !('RootFS' in found) || !isObject(found['Config'])) return found
  const config = found['Config']
  const said = IMAGE_CONFIG.filter((name) => !isEmpty(config[name])).map((name) => [name, config[name]] as const)
  setForm(config, Object.fromEntries(said))
  return found
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  if (isObject(value)) return Object.keys(value).length === 0
  return value === undefined || value === null || value === '' || value === false
}
