import { invalid } from '#base'
import type { Engine, ImageService } from '#engine'
import { parseDigest, parseNamed, type Platform, type Reference, withDefaultTag } from '#oci'
import { type ApiVersion, checkFilterNames, compareVersions, filterFlag, type ImageSummaryJson } from '#wire'
import { type Exchange, type Route, type SmallExchange, wallClock } from '#api/exchange'
import { keepsImage, selectImages } from './image-filter.ts'
import { imageJson } from './image-inspect.ts'
import { parsePlatformParameter, requirePlatform } from './image-platform.ts'
import { historyJson, imageSummary, removedJson, withVirtualSize } from './image-view.ts'
import { lookingRoutes } from './looking-routes.ts'
import { parsePlatformText } from './platform-query.ts'

/** Before, the parameter is not known. */
const HISTORY_PLATFORM_SINCE = { major: 1, minor: 48 }
const INSPECT_PLATFORM_SINCE = { major: 1, minor: 49 }
const PRUNE_FILTERS = ['dangling', 'label', 'label!', 'until']
/** Before, an image without names had the name «<none>». */
const EMPTY_NAMES_SINCE = { major: 1, minor: 43 }
/** Before, containers are counted by system df only. */
const CONTAINERS_SINCE = { major: 1, minor: 51 }

export function imageRoutes({ images }: Pick<Engine, 'images'>): readonly Route[] {
  return [
    { method: 'GET', pattern: '/images/json', isSmall: true, handle: (exchange) => list(images, exchange) },
    { method: 'POST', pattern: '/images/prune', handle: (exchange) => prune(images, exchange) },
    {
      method: 'GET',
      pattern: '/images/{name...}/json',
      isSmall: true,
      handle: (exchange) => inspect(images, exchange),
    },
    {
      method: 'GET',
      pattern: '/images/{name...}/history',
      isSmall: true,
      handle: (exchange) => history(images, exchange),
    },
    { method: 'POST', pattern: '/images/{name...}/tag', handle: (exchange) => tag(images, exchange) },
    { method: 'DELETE', pattern: '/images/{name...}', handle: (exchange) => remove(images, exchange) },
    ...lookingRoutes(images),
  ]
}

async function list(images: ImageService, { query, version, reply }: SmallExchange): Promise<void> {
  const found = await selectImages(images, { filters: query.filters(), all: query.flag('all'), now: wallClock() })
  const shared = query.flag('shared-size')
  reply(
    200,
    found.map((summary) => asOf(version, imageSummary(summary, shared))),
  )
}

/** What clients of an older version expect to find in a row. */
function asOf(version: ApiVersion, row: ImageSummaryJson): ImageSummaryJson {
  const before = (since: ApiVersion): boolean => compareVersions(version, since) < 0
  return {
    ...withVirtualSize(row, version),
    ...(before(EMPTY_NAMES_SINCE) && oldNames(row)),
    ...(before(CONTAINERS_SINCE) && { Containers: -1 }),
  }
}

function oldNames({ RepoTags, RepoDigests }: ImageSummaryJson): Pick<ImageSummaryJson, 'RepoTags' | 'RepoDigests'> {
  const [tags, digests] = [RepoTags ?? [], RepoDigests ?? []]
  if (tags.length + digests.length === 0) return { RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] }
  return { RepoTags: tags.length === 0 ? null : tags, RepoDigests: digests.length === 0 ? null : digests }
}

async function inspect(images: ImageService, { param, query, version, reply }: SmallExchange): Promise<void> {
  const asked = compareVersions(version, INSPECT_PLATFORM_SINCE) < 0 ? undefined : query.text('platform')
  const platform = parsePlatformParameter(asked)
  const details = await images.get(param('name'))
  requirePlatform(param('name'), details, platform)
  reply(200, imageJson(details, version))
}

async function history(images: ImageService, { param, query, version, reply }: SmallExchange): Promise<void> {
  const asked = compareVersions(version, HISTORY_PLATFORM_SINCE) < 0 ? undefined : query.text('platform')
  const platform = parsePlatformParameter(asked)
  if (platform !== undefined) requirePlatform(param('name'), await images.get(param('name')), platform)
  reply(200, (await images.history(param('name'))).map(historyJson))
}

async function tag(images: ImageService, { param, query, reply }: Exchange): Promise<void> {
  if (query.text('tag')?.includes(':')) throw invalid('invalid tag format')
  const to = referenceOf(query.text('repo'), query.text('tag'))
  if (to.digest !== undefined) throw invalid('refusing to create a tag with a digest reference')
  await images.tag(param('name'), withDefaultTag(to))
  reply(201)
}

async function remove(images: ImageService, { param, query, reply }: Exchange): Promise<void> {
  const platform = platformIn(query.list('platforms'))
  const removed = await images.remove(param('name'), {
    force: query.flag('force'),
    prune: !query.flag('noprune'),
    ...(platform && { platform }),
  })
  reply(200, removed.map(removedJson))
}

/** The parameter `platforms`: at most one, as JSON. */
function platformIn(texts: readonly string[]): Platform | undefined {
  const [text] = texts
  if (texts.length > 1) throw invalid('multiple platforms are not supported')
  return text === undefined ? undefined : parsePlatformText(text)
}

async function prune(images: ImageService, { query, reply }: Exchange): Promise<void> {
  const filters = query.filters()
  checkFilterNames(filters, PRUNE_FILTERS)
  const dangling = filterFlag(filters, 'dangling', true)
  const { removed, bytes } = await images.prune({ dangling, keep: keepsImage(filters, wallClock()) })
  reply(200, { ImagesDeleted: removed.length > 0 ? removed.map(removedJson) : null, SpaceReclaimed: bytes })
}

/** `repo` and `tag` (or a digest in its place), as pull, tag, import and commit say a name. */
export function referenceOf(repository: string | undefined, tagOrDigest: string | undefined): Reference {
  const named = parseNamed(repository ?? '')
  if (tagOrDigest === undefined) return named
  if (tagOrDigest.includes(':')) return { domain: named.domain, path: named.path, digest: parseDigest(tagOrDigest) }
  return parseNamed(`${named.domain}/${named.path}:${tagOrDigest}`)
}
