import { parseTemplate, TemplateError } from '#cli/template'
import { CommandLineError } from './error.ts'

/** What a template that does not parse ends with. */
const PARSE_EXIT = 64

/** Fields of the API's objects that are maps, where they are null. */
const MAPS: ReadonlySet<string> = new Set([
  'Annotations',
  'Containers',
  'ExposedPorts',
  'Labels',
  'LogOpts',
  'Networks',
  'Options',
  'DriverOpts',
  'PortBindings',
  'Ports',
  'Services',
  'StorageOpt',
  'Sysctls',
  'Tmpfs',
  'Volumes',
])
/** Fields of the API's objects that point to one object or nothing: Go shows «<nil>» for them. */
const POINTERS: ReadonlySet<string> = new Set([
  'Health',
  'Healthcheck',
  'ImageManifestDescriptor',
  'Init',
  'MemorySwappiness',
  'OomKillDisable',
  'PidsLimit',
  'SizeRootFs',
  'SizeRw',
  'Status',
  'StopTimeout',
  'UsageData',
])

/** Maps of text to text. */
const TEXTS: ReadonlySet<string> = new Set([
  'Annotations',
  'Labels',
  'LogOpts',
  'Options',
  'DriverOpts',
  'StorageOpt',
  'Sysctls',
  'Tmpfs',
])
/** Maps of the user's own names. */
const OPEN: ReadonlySet<string> = new Set(['Containers', 'Networks', 'Services', 'Volumes'])

interface Wording {
  /** What comes before a complaint. */
  readonly prefix?: string
  /** The template's name in complaints. */
  readonly name?: string
}

/** A `--format` for one object of the API. Throws a CommandLineError in docker's words. */
export function formatTemplate(template: string, value: unknown, wording: Wording = {}): string {
  return formatterOf(template, wording)(value)
}

/** The same, read once: a text that is no template is refused before anything is asked of the daemon. */
export function formatterOf(template: string, wording: Wording = {}): (value: unknown) => string {
  const parsed = complaining(wording, () => parseTemplate(template))
  return (value) =>
    complaining(wording, () => parsed.execute(value, { strict: true, nullOf: kindOfNull, texts: TEXTS }))
}

/** A `--format` of `inspect`: the object as Go's type knows it, or where that fails as the daemon sent it. */
export function inspectorOf(template: string): (typed: unknown, sent: unknown) => string {
  const parsed = complaining({}, () => parseTemplate(template))
  return (typed, sent) => {
    try {
      return parsed.execute(typed, { strict: true, nullOf: kindOfNull, texts: TEXTS, open: OPEN })
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error
      return complaining({}, () => parsed.execute(sent, { strict: true }))
    }
  }
}

function complaining<T>({ prefix = 'template parsing error: ', name = '' }: Wording, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    const exit = error.during === 'parse' ? PARSE_EXIT : 1
    const message = error.message
      .replace('template: :', `template: ${name}:`)
      .replace('executing ""', `executing "${name}"`)
    // What does not parse is said alike by all commands.
    throw new CommandLineError(`${error.during === 'parse' ? 'template parsing error: ' : prefix}${message}`, { exit })
  }
}

/** The API leaves some out where they are empty; Go's types have them nevertheless. */
function kindOfNull(field: string, absent: boolean): 'list' | 'map' | 'pointer' | undefined {
  if (MAPS.has(field)) return 'map'
  if (POINTERS.has(field)) return 'pointer'
  return absent ? undefined : 'list'
}
