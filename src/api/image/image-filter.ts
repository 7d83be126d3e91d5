import { internal, isKind } from '#base'
import type { ImageService, ImageSummary } from '#engine'
import { familiarName, familiarReference, type Reference } from '#oci'
import { checkFilterNames, filterFlag, filterLabels, type Filters, parseTimestamp } from '#wire'
import { untilOf as pruneUntil } from '#api/exchange'

const LIST_FILTERS = ['before', 'dangling', 'label', 'label!', 'reference', 'since', 'until']

/** What GET /images/json shows; with `reference` only the names that fit it. */
export async function selectImages(
  images: Pick<ImageService, 'list' | 'get'>,
  options: { readonly filters: Filters; readonly all: boolean; readonly now: bigint },
): Promise<readonly ImageSummary[]> {
  const { filters, all } = options
  checkFilterNames(filters, LIST_FILTERS)
  const [before, since] = await Promise.all(['before', 'since'].map((name) => createdOf(images, filters, name)))
  const until = (filters.get('until') ?? []).map((text) => untilOf(text, options.now))
  const patterns = (filters.get('reference') ?? []).map(pathPattern)
  const summaries = await images.list()
  const parents = new Set(summaries.flatMap(({ record }) => record.parent ?? []))
  const dangling = filterFlag(filters, 'dangling', undefined)
  return summaries
    .filter((summary) => {
      const { created } = summary
      return (
        (dangling === undefined || dangling === isDangling(summary)) &&
        (all || !isDangling(summary) || !parents.has(summary.record.id)) &&
        (before === undefined || created < before) &&
        (since === undefined || created > since) &&
        until.every((time) => created < time) &&
        filterLabels(filters, summary.image.config.config.Labels ?? {})
      )
    })
    .flatMap((summary) => narrowed(summary, patterns))
    .toSorted((one, other) => Math.floor(other.created / 1000) - Math.floor(one.created / 1000))
}

/** True where no tag names it. */
function isDangling({ record }: ImageSummary): boolean {
  return record.names.every((name) => name.tag === undefined)
}

/** Which images a prune keeps: those whose labels or age do not fit the filters. */
export function keepsImage(filters: Filters, now: bigint): (summary: ImageSummary) => boolean {
  const until = pruneUntil(filters, now)
  return (summary) =>
    !filterLabels(filters, summary.image.config.config.Labels ?? {}) ||
    (until !== undefined && summary.created >= Number(until / 1_000_000n))
}

/** Milliseconds since the epoch. Docker calls what it cannot read its own error. */
function untilOf(text: string, now: bigint): number {
  try {
    return Number(parseTimestamp(text, now) / 1_000_000n)
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error
    throw internal(`failed to parse value as time or duration: ${JSON.stringify(text)}`, { cause: error })
  }
}

type Pattern = ReturnType<typeof pathPattern>

/** With the names that fit one of the patterns; nothing where none does. */
function narrowed(summary: ImageSummary, patterns: readonly Pattern[]): readonly ImageSummary[] {
  if (patterns.length === 0) return [summary]
  const names = summary.record.names.filter((name) => patterns.some((pattern) => fits(pattern, name)))
  return names.length === 0 ? [] : [{ ...summary, record: { ...summary.record, names } }]
}

function fits(pattern: Pattern, name: Reference): boolean {
  if (pattern === undefined) throw internal('syntax error in pattern')
  return pattern.test(familiarReference(name)) || pattern.test(familiarName(name))
}

/** Go's path.Match: `*` and `?` never pass a slash; undefined where the pattern is malformed. */
export function pathPattern(pattern: string): RegExp | undefined {
  let source = ''
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern.charAt(at)
    if (char === '*') source += '[^/]*'
    else if (char === '?') source += '[^/]'
    else if (char === '[') {
      const [whole, negated, members] = /^\[(\^?)((?:\\.|[^\]\\])+)\]/s.exec(pattern.slice(at)) ?? []
      if (whole === undefined) return undefined
      source += `[${negated}${members?.replaceAll('[', '\\[') ?? ''}]`
      at += whole.length - 1
    } else {
      const plain = char === '\\' ? pattern.charAt(++at) : char
      if (plain === '') return undefined
      source += plain.replace(/[.*+?^${}()|[\]\\/]/, '\\$&')
    }
  }
  try {
    return new RegExp(`^${source}$`, 's')
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

async function createdOf(
  images: Pick<ImageService, 'get'>,
  filters: Filters,
  name: string,
): Promise<number | undefined> {
  const [image] = filters.get(name) ?? []
  return image === undefined ? undefined : (await images.get(image)).created
}
