import { posix } from 'node:path'
import { nameOfText, type RawName } from '#archive'
import { type CopyInstruction, type Dockerfile, DockerfileError, parseDockerfile, type Stage } from '#dockerfile'

/** A COPY of a context of which its Dockerfile alone says what goes where. Names are raw. */
export interface GuessedCopy {
  /** In the context; empty for all of it. */
  readonly source: string
  /** What it is called in a folder. */
  readonly name: string
  /** A name in the root. */
  readonly destination: string
  /** The destination is meant as a folder. */
  readonly isFolder: boolean
}

/** What is written in another way, or depends on a variable or on the root before, is no guess. */
export function guessCopies(text: string, target: string | undefined): readonly GuessedCopy[] {
  try {
    const file = parseDockerfile(text, 'Dockerfile')
    return neededStages(file, target).flatMap(({ instructions }) =>
      instructions.flatMap((node) => (node.kind === 'copy' ? (guessCopy(node) ?? []) : [])),
    )
  } catch (error) {
    if (error instanceof DockerfileError) return []
    throw error
  }
}

/** The target and what it is made from. */
function neededStages({ stages }: Dockerfile, target: string | undefined): readonly Stage[] {
  const named = (name: string): Stage | undefined =>
    stages.findLast(({ index, from }) => from.alias === name.toLowerCase() || String(index) === name)
  const last = target === undefined ? stages.at(-1) : named(target)
  const needed = new Set(last === undefined ? [] : [last])
  // a set's loop also comes to what is added meanwhile
  for (const { from, instructions } of needed) {
    const origins = instructions.map((node) => ('from' in node ? node.from : undefined))
    for (const name of [from.image, ...origins]) {
      const stage = name === undefined ? undefined : named(name)
      if (stage !== undefined) needed.add(stage)
    }
  }
  return [...needed]
}

/** A plain source's, below the context. */
export function placeOfSource(source: string): RawName {
  return nameOfText(posix.resolve('/', source).slice(1))
}

const PLAIN = /^[^$\\*?[\]"']+$/

export function guessCopy(node: CopyInstruction): GuessedCopy | undefined {
  const { sources, destination, from, chown, chmod, excludes, inline } = node
  const [source = ''] = sources
  const isPlain = from === undefined && chown === undefined && chmod === undefined
  if (!isPlain || sources.length !== 1 || excludes.length > 0 || inline.length > 0) return undefined
  if (!PLAIN.test(source) || !PLAIN.test(destination) || source.includes('://')) return undefined
  const place = posix.resolve('/', destination).slice(1)
  // what stands above it may be in the root already
  if (!destination.startsWith('/') || place === '' || place.includes('/')) return undefined
  const path = placeOfSource(source)
  return {
    source: path,
    name: posix.basename(path),
    destination: nameOfText(place),
    isFolder: /(^|\/)\.?$/.test(destination),
  }
}
