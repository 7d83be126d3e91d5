import { posix } from 'node:path'
import { invalid } from '#base'
import { nameOfText, textOfName } from '#archive'
import { hasWildcards, parseGlob, parseIgnore, withoutEscapes } from '#dockerfile'
import type { IgnoreRules, IgnoreState } from '#dockerfile'
import { kindOf } from './source-tree.ts'
import type { EntryKind, EntryStat, SourceTree } from './source-tree.ts'

/** One thing to copy. Names are raw (one character a byte). */
export interface Entry {
  /** Below what was selected; empty for that itself. */
  readonly path: string
  readonly kind: EntryKind
  readonly stat: EntryStat
  /** Target of a symbolic link. */
  readonly link?: string
}

/** One source, as it was found: itself and, for a folder, all below it, parents first. */
export interface Selection {
  /** The last name of the path as written: what the copy is called in a folder. */
  readonly name: string
  /** Where it stands below the source root. */
  readonly place: string
  readonly entries: readonly Entry[]
}

/**
 * What the sources of a COPY mean below `root`. A path is taken relative to the root, `..` and links stay inside of
 * it; wildcards are Go's `filepath.Match`. Ignored entries are left out. Throws in Docker's words where nothing is found.
 */
export function selectSources(
  root: SourceTree,
  sources: readonly string[],
  ignore: IgnoreRules | undefined,
): readonly Selection[] {
  const selections = sources.flatMap((source) => selectSource(root, source, ignore))
  if (selections.length === 0 && sources.length > 0) throw invalid('COPY failed: no source files were specified')
  return selections
}

/** Leaves out what patterns of `--exclude` name, below a source or by a single file's own name. */
export function withoutExcluded(selections: readonly Selection[], patterns: readonly string[]): readonly Selection[] {
  if (patterns.length === 0) return selections
  const rules = parseIgnore(patterns.join('\n'), '--exclude')
  return selections.flatMap((selection) => {
    const entries = keptEntries(selection, rules)
    return entries.length === 0 ? [] : [{ ...selection, entries }]
  })
}

function keptEntries(selection: Selection, rules: IgnoreRules): readonly Entry[] {
  const states = new Map<string, IgnoreState>()
  const kept = new Set<string>()
  for (const { path } of selection.entries) {
    const text = textOfName(path === '' ? selection.name : path)
    const whole = path === '' && selection.entries[0]?.kind === 'folder'
    const state = whole ? undefined : rules.state(text, states.get(parentOf(path)))
    if (state !== undefined) states.set(path, state)
    if (state?.ignored === true) continue
    for (let up = path; !kept.has(up); up = parentOf(up)) kept.add(up)
  }
  return selection.entries.filter((entry) => kept.has(entry.path))
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

function selectSource(root: SourceTree, source: string, ignore: IgnoreRules | undefined): readonly Selection[] {
  const path = posix.resolve('/', source).slice(1)
  if (hasWildcards(source)) {
    const found = matching(root, path.split('/'), '', ignore)
    return found.flatMap((each) => selectPath(root, each, ignore) ?? [])
  }
  const selection = selectPath(root, nameOfText(withoutEscapes(path)), ignore)
  if (selection === undefined)
    throw invalid(
      `COPY failed: file not found in build context or excluded by .dockerignore: stat ${source.replace(/^\/+/, '')}: file does not exist`,
    )
  return [selection]
}

/** Raw paths below `folder` that fit the parts of a pattern, sorted. */
function matching(
  root: SourceTree,
  parts: readonly string[],
  folder: string,
  ignore: IgnoreRules | undefined,
): readonly string[] {
  const [part = '', ...others] = parts
  return namesFitting(root, folder, part).flatMap((name) => {
    const path = folder === '' ? name : `${folder}/${name}`
    if (others.length > 0) return isFolderAt(root, path) ? matching(root, others, path, ignore) : []
    return [path]
  })
}

function namesFitting(root: SourceTree, folder: string, part: string): readonly string[] {
  if (!hasWildcards(part)) return [nameOfText(withoutEscapes(part))]
  const glob = parseGlob(part)
  if (glob === undefined) throw invalid(`COPY failed: syntax error in pattern: ${JSON.stringify(part)}`)
  return root.list(folder).filter((name) => glob(textOfName(name)))
}

/** Undefined where nothing is there, or all of it is ignored. */
function selectPath(root: SourceTree, path: string, ignore: IgnoreRules | undefined): Selection | undefined {
  const place = root.resolve(path)
  const stat = place === undefined ? undefined : root.stat(place)
  if (place === undefined || stat === undefined) return undefined
  const state = ignore === undefined || ignore.empty ? undefined : stateOf(ignore, place)
  const entries: Entry[] = []
  const top: Entry = { path: '', kind: kindOf(stat), stat }
  const walk: Walk = { root, place, ignore, entries, pending: [] }
  if (top.kind === 'folder') walkFolder(walk, top, state)
  else if (state?.ignored !== true) entries.push(top)
  return entries.length === 0 ? undefined : { name: posix.basename(path), place, entries }
}

interface Walk {
  readonly root: SourceTree
  readonly place: string
  readonly ignore: IgnoreRules | undefined
  readonly entries: Entry[]
  /** Ignored folders on the way down: they come with the first entry below them that is not. */
  readonly pending: Entry[]
}

function walkFolder(walk: Walk, folder: Entry, state: IgnoreState | undefined): void {
  if (state?.ignored === true && walk.ignore?.hasExceptions !== true) return
  // the context itself is there even where all in it is ignored
  if (state?.ignored === true && (folder.path !== '' || walk.place !== '')) walk.pending.push(folder)
  else push(walk, folder)
  const at = join(walk.place, folder.path)
  for (const name of walk.root.list(at)) {
    const stat = walk.root.lstat(at, name)
    if (stat !== undefined) visit(walk, { folder, at, name, stat, state })
  }
  if (walk.pending.at(-1) === folder) walk.pending.pop()
}

interface Visit {
  readonly folder: Entry
  readonly at: string
  readonly name: string
  readonly stat: EntryStat
  readonly state: IgnoreState | undefined
}

function visit(walk: Walk, { folder, at, name, stat, state }: Visit): void {
  const path = join(folder.path, name)
  const rules = walk.ignore
  const below = rules === undefined || rules.empty ? undefined : rules.state(textOfName(join(walk.place, path)), state)
  const kind = kindOf(stat)
  if (kind === 'folder') walkFolder(walk, { path, kind, stat }, below)
  else if (below?.ignored !== true) push(walk, { path, kind, stat, ...linkOf(walk.root, at, name, kind) })
}

function push(walk: Walk, entry: Entry): void {
  walk.entries.push(...walk.pending.splice(0), entry)
}

function linkOf(root: SourceTree, at: string, name: string, kind: EntryKind): { link?: string } {
  return kind === 'link' ? { link: root.target(at, name) } : {}
}

function stateOf(rules: IgnoreRules, place: string): IgnoreState | undefined {
  if (place === '') return undefined
  const parts = textOfName(place).split('/')
  let state: IgnoreState | undefined
  for (const index of parts.keys()) state = rules.state(parts.slice(0, index + 1).join('/'), state)
  return state
}

function isFolderAt(root: SourceTree, path: string): boolean {
  const stat = root.stat(path)
  return stat !== undefined && kindOf(stat) === 'folder'
}

/** Where an entry of a selection stands: its folder, and its name there. */
export function standing(selection: Selection, entry: Entry): readonly [folder: string, name: string] {
  const whole = join(selection.place, entry.path)
  const slash = whole.lastIndexOf('/')
  return [slash < 0 ? '' : whole.slice(0, slash), whole.slice(slash + 1)]
}

export function join(folder: string, name: string): string {
  if (folder === '') return name
  return name === '' ? folder : `${folder}/${name}`
}
