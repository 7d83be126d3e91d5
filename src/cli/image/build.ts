import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Bytes, invalid } from '#base'
import { buildHeaders } from '#cli/credential'
import { command, type Context, showProgress } from '#cli/kit'
import type { ProgressLine } from '#wire'
import { buildFlags, buildQuery } from './build-flags.ts'
import { locateContext, type Located } from './locate.ts'

const ESCAPE = String.fromCodePoint(27)

export const build = command({
  usage: '[OPTIONS] [PATH|-]',
  summary: 'Build an image from a Dockerfile; without PATH from the current folder',
  flags: buildFlags,
  examples: [
    'mica build -t app .',
    'mica build -t app:test --target test --build-arg VERSION=2 .',
    'tar -c . | mica build -t app -',
  ],
  max: 1,
  async run(context, { flags, args: [path = '.'] }) {
    const asked = buildQuery(flags, context)
    const located = await locateContext(context, { path, file: flags.file })
    const query = {
      ...asked,
      dockerfile: located.dockerfile,
    }
    const id = await send(context, { query, located, quiet: flags.quiet, compress: flags.compress })
    if (flags.iidfile !== undefined) writeFileSync(resolve(context.cwd, flags.iidfile), id)
    if (flags.quiet) context.io.stdout.write(`${id}\n`)
    return 0
  },
})

interface SendOptions {
  readonly query: Readonly<Record<string, string | boolean | readonly string[] | undefined>>
  readonly located: Located
  readonly quiet: boolean
  readonly compress: boolean
}

/** Over the local socket the daemon reads the folder where it is; elsewhere its tar is sent. Answers the image's id. */
async function send(context: Context, { query, located, quiet, compress }: SendOptions): Promise<string> {
  const { client, io } = context
  const local = located.kind === 'folder' && client.host.startsWith('unix:')
  if (local && process.geteuid?.() !== 0) await (await import('./context-tar.ts')).checkReadable(located)
  const source: { readonly query: object; readonly bytes?: Bytes } = local
    ? { query: { ...query, ...inPlace(located) } }
    : { query, bytes: await sentTar(context, { located, quiet, compress }) }
  let id = ''
  const onAux = (aux: unknown): void => {
    if (isIdentified(aux)) id = aux.ID
  }
  const lines = client.lines<ProgressLine>('POST', '/build', {
    ...source,
    query: { ...query, ...source.query },
    headers: await buildHeaders(context),
  })
  const coloured = io.stdout.terminal && !context.env['NO_COLOR']
  const shown = coloured ? lines : withoutColour(lines)
  const unsaid: string[] = []
  try {
    await showProgress(quiet ? onlyOutcome(shown, onAux, unsaid) : shown, io.stdout, onAux)
  } catch (error) {
    io.stderr.write(unsaid.join(''))
    throw error
  }
  if (id === '') throw invalid('the daemon built no image')
  return id
}

/** As the builder marks what a program says on stderr. */
const MARKED = new RegExp(`^${ESCAPE}\\[91m(.*)${ESCAPE}\\[0m$`, 's')

/** Takes the builder's own colour away; a program's colours are its output, and stay. */
async function* withoutColour(lines: AsyncIterable<ProgressLine>): AsyncIterable<ProgressLine> {
  for await (const line of lines) {
    const plain = MARKED.exec(line.stream ?? '')?.[1]
    yield plain === undefined ? line : { ...line, stream: plain }
  }
}

/** With a line that says how much has been sent, unless it is to be quiet. */
async function sentTar({ io }: Context, { located, quiet, compress }: Omit<SendOptions, 'query'>): Promise<Bytes> {
  const { counted, packed } = await import('./context-bytes.ts')
  const tar = await tarOf(located)
  const bytes = compress && located.kind === 'folder' ? packed(tar) : tar
  return quiet ? bytes : counted(bytes, io.stdout)
}

/** What makes the tar is loaded only where one is needed. */
async function tarOf(located: Located): Promise<Bytes> {
  return located.kind === 'tar' ? located.bytes : (await import('./context-tar.ts')).contextTar(located)
}

/** mica's own words in the query: the folder's path, and a Dockerfile that lies outside it as text. */
function inPlace({
  path,
  dockerfileText,
}: {
  readonly path: string
  readonly dockerfileText?: string
}): Readonly<Record<string, string>> {
  return { contextpath: path, ...(dockerfileText !== undefined && { dockerfiletext: dockerfileText }) }
}

function isIdentified(aux: unknown): aux is { readonly ID: string } {
  return typeof aux === 'object' && aux !== null && 'ID' in aux && typeof aux.ID === 'string'
}

/** Lines of a quiet build that are kept, to be shown should it fail. */
const KEPT = 1000

/** Of a quiet build: its error, and the id, which the daemon may say in an aux line or in the only line of text. */
async function* onlyOutcome(
  lines: AsyncIterable<ProgressLine>,
  onAux: (aux: unknown) => void,
  unsaid: string[],
): AsyncIterable<ProgressLine> {
  for await (const line of lines) {
    const id = /^sha256:[0-9a-f]{64}(?=\s*$)/.exec(line.stream ?? '')?.[0]
    if (id !== undefined) onAux({ ID: id })
    else if (line.aux !== undefined || line.error !== undefined || line.errorDetail !== undefined) yield line
    else if (line.stream !== undefined) {
      unsaid.push(line.stream)
      if (unsaid.length > KEPT) unsaid.shift()
    }
  }
}
