import { invalid, unavailable } from '#base'
import type { Engine, VolumeRecord } from '#engine'
import {
  checkFilterNames,
  filterFinds,
  filterFlag,
  filterHas,
  filterLabels,
  type Filters,
  parseVolumeBody,
  type VolumeJson,
} from '#wire'
import { compareVersions } from '#wire'
import { type Exchange, type Route, type SmallExchange, timeText } from '#api/exchange'

const LIST_FILTERS = ['dangling', 'driver', 'label', 'label!', 'name']
const PRUNE_FILTERS = ['all', 'label', 'label!']
/** From here on a prune without `all` takes anonymous volumes alone. */
const ANONYMOUS_ONLY_SINCE = { major: 1, minor: 42 }

export function volumeRoutes({ volumes }: Pick<Engine, 'volumes'>): readonly Route[] {
  return [
    { method: 'GET', pattern: '/volumes', isSmall: true, handle: (exchange) => list(volumes, exchange) },
    { method: 'POST', pattern: '/volumes/create', handle: (exchange) => create(volumes, exchange) },
    { method: 'POST', pattern: '/volumes/prune', handle: (exchange) => prune(volumes, exchange) },
    {
      method: 'GET',
      pattern: '/volumes/{name...}',
      isSmall: true,
      handle: async ({ param, reply }) => reply(200, volumeJson(await volumes.get(param('name')))),
    },
    {
      method: 'PUT',
      pattern: '/volumes/{name...}',
      handle: () => {
        throw unavailable('docker volume update: only volumes of a swarm can be updated, and this host is in no swarm')
      },
    },
    {
      method: 'DELETE',
      pattern: '/volumes/{name...}',
      handle: async ({ param, query, reply }) => {
        await volumes.remove(param('name'), query.flag('force'))
        reply(204)
      },
    },
  ]
}

type Volumes = Engine['volumes']

async function list(volumes: Volumes, { query, reply }: SmallExchange): Promise<void> {
  const filters = query.filters()
  checkFilterNames(filters, LIST_FILTERS)
  const found = (await volumes.list()).filter((volume) => isWanted(volumes, filters, volume))
  const byName = found.toSorted((one, other) => (one.name < other.name ? -1 : 1))
  reply(200, { Volumes: byName.map((volume) => volumeJson(volume)), Warnings: null })
}

function isWanted(volumes: Volumes, filters: Filters, volume: VolumeRecord): boolean {
  const dangling = filterFlag(filters, 'dangling', undefined)
  return (
    (dangling === undefined || dangling === (volumes.users(volume.name).length === 0)) &&
    filterFinds(filters, 'name', volume.name) &&
    filterHas(filters, 'driver', volume.driver) &&
    filterLabels(filters, volume.labels)
  )
}

async function create(volumes: Volumes, { json, reply }: Exchange): Promise<void> {
  const wanted = parseVolumeBody(await json())
  const volume = await volumes.create({
    ...(wanted.Name !== '' && { name: wanted.Name }),
    driver: wanted.Driver,
    labels: wanted.Labels,
    options: wanted.DriverOpts,
  })
  reply(201, volumeJson(volume))
}

async function prune(volumes: Volumes, { query, version, reply }: Exchange): Promise<void> {
  const filters = query.filters()
  checkFilterNames(filters, PRUNE_FILTERS)
  const all = compareVersions(version, ANONYMOUS_ONLY_SINCE) < 0 ? allForOld(filters) : allOf(filters)
  // As with Docker, what a volume with options shows is not for a prune to judge.
  const hasOptions = ({ options }: VolumeRecord): boolean => Object.keys(options).length > 0
  const keep = (volume: VolumeRecord): boolean => hasOptions(volume) || !filterLabels(filters, volume.labels)
  const { removed, bytes } = await volumes.prune({ all, keep })
  reply(200, { VolumesDeleted: removed.length > 0 ? removed : null, SpaceReclaimed: bytes })
}

/** Before there was the filter, all were meant. */
function allForOld(filters: Filters): boolean {
  const given = filters.get('all')
  if (given === undefined) return true
  throw invalid(`invalid filter 'all=[${[...given, 'true'].join(' ')}]': only one value is expected`)
}

function allOf(filters: Filters): boolean {
  const bad = filters.get('all')?.find((value) => !/^(0|1|t|f|true|false)$/i.test(value))
  if (bad === undefined) return filterFlag(filters, 'all', false)
  throw invalid(`invalid filter 'all': strconv.ParseBool: parsing "${bad}": invalid syntax`)
}

export function volumeJson(volume: VolumeRecord): VolumeJson {
  const orNull = (map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null =>
    Object.keys(map).length > 0 ? byKey(map) : null
  return {
    CreatedAt: timeText(volume.createdAt),
    Driver: volume.driver,
    Labels: orNull(volume.labels),
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: orNull(volume.options),
    Scope: 'local',
  }
}

/** In the order of their names, as Go writes maps. */
export function byKey(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}
