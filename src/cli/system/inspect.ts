import { isKind } from '#base'
import { type Command, command, type Context, flag, formatTemplate } from '#cli/kit'

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
    const kinds = Object.keys(PLACES).filter(isPlace)
    const wanted = flags.type === undefined ? kinds : kinds.filter((kind) => kind === flags.type)
    return await show(context, {
      names: args,
      format: flags.format,
      size: flags.size,
      kinds: wanted,
      noun: flags.type ?? 'object',
    })
  },
})

export const inspectContainer = inspectOf('container', 'Display detailed information on one or more containers')
export const inspectImage = inspectOf('image', 'Display detailed information on one or more images')
export const inspectNetwork = inspectOf('network', 'Display detailed information on one or more networks')
export const inspectVolume = inspectOf('volume', 'Display detailed information on one or more volumes')

function inspectOf(kind: Kind, summary: string): Command {
  const noun = kind.toUpperCase()
  return command({
    usage: `[OPTIONS] ${noun} [${noun}...]`,
    summary,
    flags: {
      format: flag.text('Format output: json, or a template', { short: 'f' }),
      size: flag.switch('Display total file sizes', { short: 's' }),
    },
    min: 1,
    run: (context, { flags, args }) =>
      show(context, { names: args, format: flags.format, size: flags.size, kinds: [kind], noun: kind }),
  })
}

interface ShowOptions {
  readonly names: readonly string[]
  readonly format: string | undefined
  readonly size: boolean
  readonly kinds: readonly Kind[]
  readonly noun: string
}

/** What is found is printed, what is not is said after it; one missing makes the exit status 1. */
async function show(context: Context, { names, format, size, kinds, noun }: ShowOptions): Promise<number> {
  const found: unknown[] = []
  const missing: string[] = []
  for (const name of names) {
    const value = await findFirst(context, name, { kinds, size })
    if (value === undefined) missing.push(`Error: No such ${noun}: ${name}\n`)
    else found.push(value)
  }
  const { stdout, stderr } = context.io
  if (format === undefined) stdout.write(`${found.length === 0 ? '[]' : JSON.stringify(found, undefined, 4)}\n`)
  else
    for (const value of found)
      stdout.write(`${format === 'json' ? JSON.stringify(value) : formatTemplate(format, value)}\n`)
  stderr.write(missing.join(''))
  return missing.length > 0 ? 1 : 0
}

interface FindOptions {
  readonly kinds: readonly Kind[]
  readonly size: boolean
}

async function findFirst({ client }: Context, name: string, { kinds, size }: FindOptions): Promise<unknown> {
  for (const kind of kinds) {
    try {
      return await client.get<unknown>(PLACES[kind](encodeURIComponent(name)), { query: { size } })
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error
    }
  }
  return undefined
}

function isPlace(name: string): name is Kind {
  return Object.hasOwn(PLACES, name)
}
