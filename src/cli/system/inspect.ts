import { EngineError, isKind } from '#base'
import { createView } from '#cli/template'
import { inOrder, isObject, typed } from './typed.ts'
import { command, CommandLineError, complaint, type Context, flag, inspectorOf } from '#cli/kit'

const PLACES = {
  container: (name: string): string => `/containers/${name}/json`,
  image: (name: string): string => `/images/${name}/json`,
  network: (name: string): string => `/networks/${name}`,
  volume: (name: string): string => `/volumes/${name}`,
} as const

type Kind = keyof typeof PLACES

export const inspect = command({
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  summary: 'Return low-level information on containers, images, networks and volumes',
  flags: {
    format: flag.text('Format output: json, or a template such as {{.State.Status}}', { short: 'f' }),
    size: flag.switch('Display total file sizes if the type is container', { short: 's' }),
    type: flag.text('Only inspect objects of the given type'),
  },
  min: 1,
  async run(context, { flags, args }) {
    const kinds = kindsOf(flags.type)
    if (flags.size && !kinds.includes('container'))
      context.io.stderr.write(`WARNING: --size ignored for ${flags.type}\n`)
    return await show(context, { names: args, format: flags.format, query: { size: flags.size }, kinds })
  },
})

export const inspectContainer = command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Display detailed information on one or more containers',
  flags: {
    format: flag.text('Format output: json, or a template', { short: 'f' }),
    size: flag.switch('Display total file sizes', { short: 's' }),
  },
  min: 1,
  run: (context, { flags, args }) =>
    show(context, { names: args, format: flags.format, query: { size: flags.size }, kinds: ['container'] }),
})
export const inspectImage = command({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Display detailed information on one or more images',
  flags: {
    format: flag.text('Format output: json, or a template', { short: 'f' }),
    platform: flag.text('Only the image of this platform, as os/architecture[/variant]'),
  },
  min: 1,
  run: (context, { flags, args }) => {
    const query = flags.platform === undefined ? {} : { platform: platformJson(flags.platform) }
    return show(context, { names: args, format: flags.format, query, kinds: ['image'] })
  },
})
export const inspectNetwork = command({
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  summary: 'Display detailed information on one or more networks',
  flags: {
    format: flag.text('Format output: json, or a template', { short: 'f' }),
    verbose: flag.switch('Verbose output for diagnostics', { short: 'v' }),
  },
  min: 1,
  run: (context, { flags, args }) =>
    show(context, { names: args, format: flags.format, query: { verbose: flags.verbose }, kinds: ['network'] }),
})
export const inspectVolume = command({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Display detailed information on one or more volumes',
  flags: { format: flag.text('Format output: json, or a template', { short: 'f' }) },
  min: 1,
  run: (context, { flags, args }) => show(context, { names: args, format: flags.format, query: {}, kinds: ['volume'] }),
})

function kindsOf(type: string | undefined): readonly Kind[] {
  const kinds = Object.keys(PLACES).filter(isPlace)
  if (type === undefined) return kinds
  if (isPlace(type)) return [type]
  const what = type === '' ? 'type is empty' : `unknown type: ${JSON.stringify(type)}`
  const known = kinds.map((kind) => JSON.stringify(kind)).join(', ')
  throw new CommandLineError(`${what}: must be one of ${known}`, { exit: 1 })
}

/** As the API takes it; the architecture is this machine's where none is named. */
function platformJson(text: string): string {
  const [os, architecture = process.arch === 'x64' ? 'amd64' : process.arch, variant] = text.split('/')
  return JSON.stringify({ os, architecture, ...(variant !== undefined && { variant }) })
}

type Parameters = Readonly<Record<string, string | boolean>>

interface ShowOptions {
  readonly names: readonly string[]
  readonly format: string | undefined
  readonly query: Parameters
  /** Of several the first that has the name. */
  readonly kinds: readonly Kind[]
}

/** Of docker's words for its members alone: `volume inspect` knows no others. */
function volumeView(found: unknown): unknown {
  return isObject(found)
    ? createView('volume.Volume', { ClusterVolume: null, Status: null, UsageData: null, ...found })
    : found
}

/** What is found is printed, what is not is said after it; one missing makes the exit status 1. */
async function show(context: Context, { names, format, query, kinds }: ShowOptions): Promise<number> {
  const formatter = !format || format === 'json' ? undefined : inspectorOf(format)
  const found: unknown[] = []
  const missing: string[] = []
  for (const name of names) {
    try {
      found.push(inOrder(await findFirst(context, name, { kinds, query })))
    } catch (error) {
      missing.push(`${refusalOf(error)}\n`)
    }
  }
  const { stdout, stderr } = context.io
  if (!format) stdout.write(`${found.length === 0 ? '[]' : JSON.stringify(found, undefined, 4)}\n`)
  else if (formatter === undefined) stdout.write(`${JSON.stringify(found)}\n`)
  else printEach(context, found, (value) => formatter(...viewsOf(value, kinds)))
  stderr.write(missing.join(''))
  return missing.length > 0 ? 1 : 0
}

/** As the type knows it, and as it was sent; of a volume the type alone. */
function viewsOf(value: unknown, kinds: readonly Kind[]): readonly [typed: unknown, sent: unknown] {
  if (kinds[0] !== 'volume') return [typed(value), value]
  const view = volumeView(value)
  return [view, view]
}

/** What was printed before a template failed stays; docker ends an empty output with a line's end. */
function printEach({ io }: Context, found: readonly unknown[], format: (value: unknown) => string): void {
  let text = ''
  try {
    for (const value of found) text += `${format(value)}\n`
  } catch (error) {
    io.stdout.write(text === '' ? '\n' : text)
    throw error
  }
  io.stdout.write(text === '' ? '\n' : text)
}

/** What the daemon refuses is said at the end; anything else ends the command. */
function refusalOf(error: unknown): string {
  if (error instanceof NothingFound) return error.message
  if (error instanceof EngineError && error.details?.['status'] !== undefined) return complaint(error)
  throw error
}

interface FindOptions {
  readonly kinds: readonly Kind[]
  readonly query: Parameters
}

/** Nothing of any kind has that name; of one kind alone the daemon's own words are better. */
class NothingFound extends EngineError {}

async function findFirst({ client }: Context, name: string, { kinds, query }: FindOptions): Promise<unknown> {
  const [only, ...others] = kinds
  if (name === '' && others.length > 0)
    throw new NothingFound('not-found', 'invalid container name or ID: value is empty')
  for (const kind of name === '' ? [] : kinds) {
    try {
      return await client.get<unknown>(PLACES[kind](encodeURIComponent(name)), { query })
    } catch (error) {
      // «No-Image» is no name of an image, and may be one of something else
      const isElse = isKind(error, 'not-found') || (kind === 'image' && isKind(error, 'invalid'))
      if (!isElse || others.length === 0) throw error
    }
  }
  throw new NothingFound('not-found', `Error: No such ${others.length === 0 ? only : 'object'}: ${name}`)
}

function isPlace(name: string): name is Kind {
  return Object.hasOwn(PLACES, name)
}
