import { invalid } from '#base'
import type { ContainerRecord, ContainerService, ImageService } from '#engine'
import { familiarName, familiarReference } from '#oci'
import { checkFilterNames, filterFinds, filterFlag, filterHas, filterLabels, type Filters } from '#wire'
import { mountsJson } from './mount-view.ts'

const NAMES = [
  'ancestor',
  'before',
  'expose',
  'exited',
  'health',
  'id',
  'isolation',
  'is-task',
  'label',
  'label!',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
]
const HEALTHS = ['none', 'starting', 'healthy', 'unhealthy']
const STATES = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead']

/** What `docker ps` may ask for besides its filters. */
export interface ListOptions {
  readonly all: boolean
  /** The number of last created ones; 0 for no limit. */
  readonly limit: number
  readonly filters: Filters
}

/** The containers asked for, newest first. Throws `invalid` in Docker's words for a bad filter. */
export async function selectContainers(
  containers: Pick<ContainerService, 'list' | 'get'>,
  images: Pick<ImageService, 'list'>,
  { all, limit, filters }: ListOptions,
): Promise<readonly ContainerRecord[]> {
  checkFilters(filters)
  const byAge = [...(await containers.list())].toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
  const stopped = all || limit > 0 || filters.has('status') || filters.has('exited')
  const near = await neighbours(containers, filters)
  const ancestors = filters.has('ancestor') ? await ancestorImages(images, filters) : undefined
  const chosen = byAge.filter(
    (record) =>
      (stopped || isUp(record)) &&
      matches(record, filters) &&
      (near.before === undefined || record.createdAt < near.before) &&
      (near.since === undefined || record.createdAt > near.since) &&
      (ancestors === undefined || ancestors.has(record.image)),
  )
  return limit > 0 ? chosen.slice(0, limit) : chosen
}

function isUp(record: ContainerRecord): boolean {
  return record.state === 'running' || record.state === 'paused' || record.state === 'restarting'
}

function checkFilters(filters: Filters): void {
  checkFilterNames(filters, NAMES)
  for (const state of filters.get('status') ?? []) {
    if (!STATES.includes(state)) {
      throw invalid(
        `invalid filter 'status=${state}': invalid value for state (${state}): must be one of ${STATE_WORDS}`,
      )
    }
  }
  for (const name of ['publish', 'expose']) {
    for (const value of filters.get(name) ?? []) checkPorts(name, value)
  }
  for (const health of filters.get('health') ?? []) {
    if (!HEALTHS.includes(health))
      throw invalid(
        `invalid filter 'health=${health}': invalid value for health (${health}): must be one of ${HEALTHS.join(', ')}`,
      )
  }
  for (const code of filters.get('exited') ?? []) {
    if (!/^-?\d+$/.test(code))
      throw invalid(`invalid filter 'exited=${code}': strconv.Atoi: parsing "${code}": invalid syntax`)
  }
}

function checkPorts(name: string, value: string): void {
  const range = value.split('/')[0] ?? ''
  const ports = range.split('-')
  const refuse = (why: string): never => {
    throw invalid(`error while looking up for ${name} ${value}: ${why}`)
  }
  const unlike = ports.find((port) => !/^\d+$/.test(port))
  if (unlike !== undefined) refuse(`strconv.ParseUint: parsing "${unlike}": invalid syntax`)
  const outside = ports.find((port) => Number(port) > 65_535)
  if (outside !== undefined) refuse(`strconv.ParseUint: parsing "${outside}": value out of range`)
  if (Number(ports[0]) > Number(ports.at(-1))) refuse(`Invalid range specified for the Port: ${range}`)
}

const STATE_WORDS = 'created, running, paused, restarting, removing, exited, dead'

function matches(record: ContainerRecord, filters: Filters): boolean {
  return (
    matchesId(record, filters) &&
    filterFinds(filters, 'name', record.name, `/${record.name}`) &&
    filterLabels(filters, record.labels) &&
    filterHas(filters, 'status', record.state) &&
    (!filters.has('exited') || (isExited(record) && filterHas(filters, 'exited', String(record.exitCode)))) &&
    filterHas(filters, 'network', record.request.networkMode, ...record.endpoints.flatMap(networkNames)) &&
    matchesVolume(record, filters) &&
    matchesPorts(record, filters) &&
    matchesConstants(filters)
  )
}

function matchesId({ id }: ContainerRecord, filters: Filters): boolean {
  const wanted = filters.get('id') ?? []
  return wanted.length === 0 || wanted.some((prefix) => id.startsWith(prefix))
}

/** What inspect shows as a mount has one of these names, or stands at such a place. */
function matchesVolume(record: ContainerRecord, filters: Filters): boolean {
  if (!filters.has('volume')) return true
  return filterHas(
    filters,
    'volume',
    ...mountsJson(record).flatMap((mount) => [mount.Name ?? mount.Source, mount.Destination]),
  )
}

function matchesPorts(record: ContainerRecord, filters: Filters): boolean {
  const published = record.ports.map((port) => `${port.hostPort}/${port.protocol}`)
  // What does not run exposes nothing, as with Docker.
  const exposed = isUp(record) ? record.exposedPorts : []
  return filterPort(filters, 'expose', exposed) && filterPort(filters, 'publish', published)
}

/** What every container here is: without a health check, of the default isolation, no task of a swarm. */
function matchesConstants(filters: Filters): boolean {
  return (
    filterHas(filters, 'health', 'none') &&
    filterHas(filters, 'isolation', 'default', '') &&
    filterFlag(filters, 'is-task', false) === false
  )
}

function isExited(record: ContainerRecord): boolean {
  return record.state !== 'created' && !isUp(record)
}

function networkNames(endpoint: ContainerRecord['endpoints'][number]): readonly string[] {
  return [endpoint.network, endpoint.networkId]
}

/** «80», «80/tcp» or «80-90/tcp». */
function filterPort(filters: Filters, name: string, ports: readonly string[]): boolean {
  const wanted = filters.get(name)
  if (wanted === undefined || wanted.length === 0) return true
  return wanted.some((value) => {
    const [, from = '', to = from, protocol = 'tcp'] = /^(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(value) ?? []
    return ports.some((port) => {
      const [number = '', kind] = port.split('/')
      return kind === protocol && Number(number) >= Number(from) && Number(number) <= Number(to)
    })
  })
}

async function neighbours(
  containers: Pick<ContainerService, 'get'>,
  filters: Filters,
): Promise<{ readonly before: bigint | undefined; readonly since: bigint | undefined }> {
  const timeOf = async (name: string): Promise<bigint | undefined> => {
    const [wanted] = filters.get(name) ?? []
    return wanted === undefined ? undefined : (await containers.get(wanted)).createdAt
  }
  return { before: await timeOf('before'), since: await timeOf('since') }
}

/** Ids of the images asked for and of those that were made from them: their layers begin with the same ones. */
async function ancestorImages(images: Pick<ImageService, 'list'>, filters: Filters): Promise<ReadonlySet<string>> {
  const all = await images.list()
  const wanted = all.filter(({ record }) =>
    (filters.get('ancestor') ?? []).some(
      (value) =>
        record.id === value ||
        record.id.startsWith(`sha256:${value.replace(/^sha256:/, '')}`) ||
        record.names.some((name) => familiarReference(name) === value || familiarName(name) === value),
    ),
  )
  const roots = wanted.map(({ image }) => image.config.rootfs.diff_ids)
  const descends = (ids: readonly string[]): boolean =>
    roots.some((root) => root.length > 0 && root.every((id, index) => ids[index] === id))
  const wantedIds = new Set<string>(wanted.map(({ record }) => record.id))
  return new Set(
    all
      .filter(({ record, image }) => wantedIds.has(record.id) || descends(image.config.rootfs.diff_ids))
      .map(({ record }) => record.id),
  )
}
