import { posix } from 'node:path'
import { unsupported } from '#base'
import type { CopyInstruction } from '#dockerfile'
import { type FilesCopy, noteCached, performCopy } from './copy-layer.ts'
import { openSources, readSources } from './copy-sources.ts'
import { isGitAddress } from './downloads.ts'
import type { CopyOutput } from '#builder/files'
import { createdBy, hashOf } from '#builder/plan'
import { announceLayer, type Content, solveLayer, withLayer } from './layer-step.ts'
import type { StepResult, StepSite } from './session.ts'

/** COPY and ADD: files of the context, of another stage or image, or of the Dockerfile itself. */
export async function filesStep(site: StepSite, input: StepResult, node: CopyInstruction): Promise<StepResult> {
  refuseLater(node)
  const { session } = site
  const destination = resolveDestination(input.state.config.WorkingDir, node.destination)
  const definition = definitionOf(node, destination)
  await using sources = await openSources(site, node)
  const copy = { node, destination, definition, sources, below: input.root }
  const outcome = await solveLayer(session, input.root, {
    kind: 'files',
    description: node.text,
    definition,
    content: () => readSources(session, sources),
    hashFirst: node.kind === 'add',
    perform: (active, { content }) => performCopy(session, copy, active, content),
  })
  if (outcome.cached) await noteCached(session, copy, outcome.root)
  announceLayer(site, outcome)
  return withLayer(input, outcome, createdBy(input.state.config, historyText(copy, outcome.content)))
}

/** Flags that are understood but not carried out yet. */
function refuseLater(node: CopyInstruction): void {
  const line = node.range.start.line
  const refuse = (what: string) =>
    unsupported(`${node.kind.toUpperCase()} ${what} is not carried out yet (line ${line})`)
  if (node.link) throw refuse('--link')
  if (node.parents) throw refuse('--parents')
  if (node.keepGitDir !== undefined) throw refuse('--keep-git-dir')
  if (node.unpack !== undefined) throw refuse('--unpack')
  const repository = node.kind === 'add' ? node.sources.find((source) => isGitAddress(source)) : undefined
  if (repository !== undefined) throw refuse(`of the git repository ${repository}`)
}

/** Absolute, with the `/` at its end that means a folder. */
function resolveDestination(workdir: string | undefined, destination: string): string {
  const path = posix.resolve('/', workdir ?? '/', destination)
  const folder = /(^|\/)\.?$/.test(destination)
  return folder && path !== '/' ? `${path}/` : path
}

function definitionOf(node: CopyInstruction, destination: string) {
  return {
    kind: node.kind,
    sources: node.sources,
    inline: node.inline.map((file) => [file.name, file.text]),
    destination,
    chown: node.chown ?? null,
    chmod: node.chmod ?? null,
    from: node.from !== undefined,
    excludes: node.excludes,
  }
}

/** «COPY --chown=1:2 file:… in /d/ », as the classic builder writes it. */
function historyText(copy: FilesCopy, { hash, sources }: Content): string {
  const { node } = copy
  const flags = [
    ...(node.chown === undefined ? [] : [`--chown=${node.chown} `]),
    ...(node.chmod === undefined ? [] : [`--chmod=${node.chmod} `]),
  ]
  const shape = shapeOf(copy, sources)
  const inline = node.inline.map((file) => [file.name, file.text])
  const named = hash !== '' && inline.length === 0 ? hash : hashOf('inline', inline, hash)
  return `${node.kind.toUpperCase()} ${flags.join('')}${shape === '' ? '' : `${shape}:`}${named} in ${node.destination} `
}

/** How the history calls what was read; what came from the web has no word. */
function shapeOf({ node, sources }: FilesCopy, read: readonly CopyOutput[]): CopyOutput['shape'] | '' {
  const [first, ...others] = read
  if (first === undefined) return node.inline.length === 1 && node.sources.length === 0 ? 'file' : 'multi'
  if (others.length > 0) return 'multi'
  return sources.local === undefined ? '' : first.shape
}
