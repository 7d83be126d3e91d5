import { commandOf, draftError, nodeOf, readFlags, wordsOf } from './draft.ts'
import type { Draft, FlagKind, Flags } from './draft.ts'
import { heredocBody, parseHeredocMark } from './heredoc.ts'
import type { CopyInstruction, InlineFile, RunInstruction } from './types.ts'

const RUN_FLAGS: Readonly<Record<string, FlagKind>> = {
  mount: 'list',
  network: 'text',
  security: 'text',
  device: 'list',
}
const NETWORKS = new Set(['default', 'none', 'host'])

export function parseRun(draft: Draft): RunInstruction {
  const command = commandOf(draft)
  const flags = readFlags(draft, RUN_FLAGS)
  const network = flags.text('network')?.value
  if (network !== undefined && !NETWORKS.has(network))
    throw draftError(draft, `invalid network mode ${JSON.stringify(network)}`)
  const security = flags.text('security')?.value
  if (security !== undefined && security !== 'sandbox' && security !== 'insecure')
    throw draftError(draft, `security ${JSON.stringify(security)} is not valid`)
  return {
    kind: 'run',
    ...nodeOf(draft),
    command,
    heredocs: draft.line.heredocs,
    mounts: flags.list('mount'),
    ...(network === undefined ? {} : { network }),
    ...(security === undefined ? {} : { security }),
    devices: flags.list('device'),
  }
}

const SHARED_FLAGS: Readonly<Record<string, FlagKind>> = {
  chown: 'text',
  chmod: 'text',
  link: 'switch',
  exclude: 'list',
}
const COPY_FLAGS: Readonly<Record<string, FlagKind>> = { ...SHARED_FLAGS, from: 'text', parents: 'switch' }
const ADD_FLAGS: Readonly<Record<string, FlagKind>> = {
  ...SHARED_FLAGS,
  'keep-git-dir': 'switch',
  checksum: 'text',
  unpack: 'switch',
}

export function parseCopy(draft: Draft): CopyInstruction {
  return parseFiles(draft, 'copy', COPY_FLAGS)
}

export function parseAdd(draft: Draft): CopyInstruction {
  return parseFiles(draft, 'add', ADD_FLAGS)
}

function parseFiles(draft: Draft, kind: 'copy' | 'add', known: Readonly<Record<string, FlagKind>>): CopyInstruction {
  const words = wordsOf(draft)
  const flags = readFlags(draft, known)
  const destination = words.at(-1)
  if (destination === undefined || words.length < 2)
    throw draftError(
      draft,
      `${draft.name} requires at least two arguments, but only one was provided. Destination could not be determined`,
    )
  if (draft.line.heredocs.length > 0 && parseHeredocMark(destination) !== undefined)
    throw draftError(draft, `${draft.name} cannot accept a heredoc as a destination`)
  return { kind, ...nodeOf(draft), ...sourcesOf(draft, words.slice(0, -1)), destination, ...fileFlags(flags) }
}

/** Words that begin a heredoc become files of its name; all others are paths. */
function sourcesOf(draft: Draft, words: readonly string[]) {
  const bodies = new Map(draft.line.heredocs.map((heredoc) => [heredoc.name, heredoc]))
  const sources: string[] = []
  const inline: InlineFile[] = []
  for (const word of words) {
    const mark = bodies.size === 0 ? undefined : parseHeredocMark(word)
    const body = mark === undefined ? undefined : bodies.get(mark.name)
    if (body === undefined) sources.push(word)
    else inline.push({ name: body.name, text: heredocBody(body), expand: body.expand })
  }
  return { sources, inline }
}

function fileFlags(flags: Flags) {
  const texts = (['from', 'chown', 'chmod', 'checksum'] as const).flatMap((name) => {
    const value = flags.text(name)?.value
    return value === undefined || value === '' ? [] : [[name, value] as const]
  })
  const keepGitDir = flags.switch('keep-git-dir')
  const unpack = flags.switch('unpack')
  return {
    ...(Object.fromEntries(texts) as { from?: string; chown?: string; chmod?: string; checksum?: string }),
    link: flags.switch('link') ?? false,
    parents: flags.switch('parents') ?? false,
    excludes: flags.list('exclude'),
    ...(keepGitDir === undefined ? {} : { keepGitDir }),
    ...(unpack === undefined ? {} : { unpack }),
  }
}
