import { invalid } from '#base'
import type { Engine, Finding, VolumeRecord } from '#engine'
import { compareVersions, type DiskUsageJson, type FindingJson } from '#wire'
import { containerSummary } from '#api/container'
import { type Exchange, type Route, type SmallExchange, timeText, wallClock } from '#api/exchange'
import { imageSummary, withVirtualSize } from '#api/image'
import { volumeJson } from '#api/network'
import { diskRoutes } from './disk-routes.ts'
import { infoJson, versionJson } from './system-info.ts'

export function systemRoutes(engine: Engine): readonly Route[] {
  return [
    { method: 'GET', pattern: '/_ping', isSmall: true, handle: ping },
    { method: 'HEAD', pattern: '/_ping', isSmall: true, handle: ping },
    { method: 'GET', pattern: '/version', isSmall: true, handle: ({ reply }) => reply(200, versionJson(engine)) },
    { method: 'GET', pattern: '/info', isSmall: true, handle: (exchange) => info(engine, exchange) },
    { method: 'GET', pattern: '/system/df', handle: (exchange) => diskUsage(engine, exchange) },
    ...diskRoutes(engine),
    {
      method: 'GET',
      pattern: '/x/doctor',
      handle: async ({ reply }) => reply(200, (await engine.system.doctor()).map(findingJson)),
    },
  ]
}

/** `Builder-Version: 1` is the classic builder, the one that clients find here. */
function ping({ reply }: SmallExchange): void {
  reply(200, 'OK', {
    'Builder-Version': '1',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    Swarm: 'inactive',
  })
}

async function info(engine: Engine, { version, reply }: SmallExchange): Promise<void> {
  reply(200, await infoJson(engine, version))
}

const KINDS = ['container', 'image', 'volume', 'build-cache'] as const
type Kind = (typeof KINDS)[number]

/** Of the kinds that are asked for with `type`; of all where none is. */
async function diskUsage(engine: Engine, { query, version, reply }: Exchange): Promise<void> {
  const types = query.list('type')
  const unknown = types.find((type) => !KINDS.some((kind) => kind === type))
  if (unknown !== undefined) throw invalid(`unknown object type: ${unknown}`)
  const unless = async <T>(kind: Kind, value: () => Promise<T>): Promise<T | null> =>
    types.length === 0 || types.includes(kind) ? await value() : null
  const usage = await unless('image', () => engine.system.diskUsage())
  const answer: DiskUsageJson = {
    LayersSize: usage?.layersSize ?? 0,
    Images: usage && usage.images.map((summary) => withVirtualSize(imageSummary(summary, true), version)),
    Containers: await unless('container', () => containers(engine, version.minor)),
    Volumes: await unless('volume', () => volumes(engine)),
    BuildCache: await unless('build-cache', () => buildCache(engine)),
  }
  reply(200, compareVersions(version, NO_BUILDER_SIZE_SINCE) < 0 ? withBuilderSize(answer) : answer)
}

/** Before, the size of the build cache is told as a sum too. */
const NO_BUILDER_SIZE_SINCE = { major: 1, minor: 42 }

function withBuilderSize(answer: DiskUsageJson): DiskUsageJson {
  return { ...answer, BuilderSize: (answer.BuildCache ?? []).reduce((sum, { Size }) => sum + Size, 0) }
}

async function containers({ containers: all, images }: Engine, minor: number): Promise<DiskUsageJson['Containers']> {
  const sizes = new Map((await images.list()).map(({ record, size }) => [record.id, size]))
  return await Promise.all(
    (await all.list()).map(async (record) => {
      const { size } = await all.usage(record.id)
      const total = (sizes.get(record.image) ?? 0) + size
      const facts = { now: wallClock(), image: record.imageName, size: { writable: size, total }, minor }
      return containerSummary(record, facts)
    }),
  )
}

async function volumes({ volumes: all }: Engine): Promise<DiskUsageJson['Volumes']> {
  return await Promise.all(
    (await all.list()).filter(isMeasured).map(async (volume) => ({
      ...volumeJson(volume),
      UsageData: { RefCount: all.users(volume.name).length, Size: await all.usage(volume.name) },
    })),
  )
}

/** What a volume with options shows lies elsewhere. */
function isMeasured({ options }: VolumeRecord): boolean {
  return Object.keys(options).length === 0
}

async function buildCache({ builds }: Engine): Promise<DiskUsageJson['BuildCache']> {
  return (await builds.cacheUsage()).map((record) => ({
    ID: record.id,
    Type: 'regular',
    Description: record.description,
    InUse: record.inUse,
    Shared: record.shared,
    Size: record.size,
    CreatedAt: timeText(record.createdAt),
    LastUsedAt: timeText(record.lastUsedAt),
    UsageCount: record.usageCount,
  }))
}

function findingJson({ name, ok, essential, text, cure }: Finding): FindingJson {
  return { Name: name, Ok: ok, Essential: essential, Text: text, ...(cure !== undefined && { Cure: cure }) }
}
