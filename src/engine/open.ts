import { join } from 'node:path'
import { applyChanges, createBuilder, createCacheCollector } from '#builder'
import type { Builder } from '#builder'
import { openContainers } from '#container'
import type { OpenContainers } from '#container'
import type { EventBus } from '#event'
import { createHub, createHubCollector } from '#hub'
import type { Hub } from '#hub'
import { capabilities, type JobOptions } from '#kernel'
import { openNetworks } from '#network'
import type { Networks } from '#network'
import { createFetcher, createRegistries } from '#registry'
import { makeMountPoints, openRuntime } from '#runtime'
import type { Runtime } from '#runtime'
import { createGarbageCollector } from '#store/gc'
import { createLayerCollector, filtersOf } from '#store/layer'
import { createSwitchboard } from '#switchboard'
import { createTransfer } from '#transfer'
import type { Transfer } from '#transfer'
import { createVolumeMounter, openVolumes } from '#volume'
import type { Volumes } from '#volume'
import { createStoreCheck } from './check.ts'
import { collectAfterRemovals, scheduleCollection } from './collection.ts'
import type { Collection } from './collection.ts'
import { createDiskReporter } from './disk-usage.ts'
import { keepEngineId, openGround } from './ground.ts'
import type { Ground } from './ground.ts'
import { createImageService } from './images.ts'
import { createRemoteService } from './remotes.ts'
import { tellPrune } from './prune-event.ts'
import { isAlive } from './remove-image.ts'
import { restoreImages } from './restore-images.ts'
import { restoreLayers } from './restore-layers.ts'
import { createRunner, removeLeftoverRoots } from './runner.ts'
import { createSystemService } from './system.ts'
import type { Engine, EngineConfig, NetworkService, RemoteService } from './types.ts'

/**
 * Opens an engine on its two roots: every room in plain order, then what a killed predecessor left is put right. Throws
 * one sentence where that cannot be done (`conflict` where another daemon owns a root).
 */
export async function openEngine(config: EngineConfig): Promise<Engine> {
  await using stack = new AsyncDisposableStack()
  const ground = await openGround(config, stack)
  const { transfer, hub, remotes } = openMoving(ground, stack)
  const running = await openRunning(ground, stack)
  const builds = openBuilding(ground, transfer, running)
  const collection = openCollection(ground, running.containers)
  stack.defer(() => collection.stop())
  stack.use(collectAfterRemovals(ground.events, collection))
  await restore(ground, running, builds)
  await restoreImages(ground)
  await restoreLayers(ground)
  await keepEngineId(ground)
  await hub.restore()
  collection.soon()
  const kept = stack.move()
  return assemble({ ground, transfer, hub, remotes, running, builds, collection }, () => kept.disposeAsync())
}

interface Running {
  readonly runtime: Runtime
  readonly networks: Networks
  readonly volumes: Volumes
  readonly containers: OpenContainers
  readonly mountPoints: string
}

interface Moving {
  readonly transfer: Transfer
  readonly hub: Hub
  readonly remotes: RemoteService
}

function openMoving(ground: Ground, stack: AsyncDisposableStack): Moving {
  const { config, clock } = ground
  const registries = stack.use(
    createRegistries(
      {
        mirrors: config.mirrors,
        insecure: config.insecureRegistries,
        proxy: config.proxy,
        certificates: ['/etc/docker/certs.d', '/etc/mica/certs.d'],
      },
      clock,
    ),
  )
  const { registryFor } = registries
  const transfer = createTransfer({ ...ground, registryFor, filters: filtersOf(ground.programs) })
  const hub = stack.use(createHub({ ...ground, transfer, registries }))
  return { transfer, hub, remotes: createRemoteService(registries) }
}

async function openRunning(ground: Ground, stack: AsyncDisposableStack): Promise<Running> {
  const { config, log, clock, events, database } = ground
  const mountPoints = join(config.dataRoot, 'mount-points')
  makeMountPoints(mountPoints)
  const ownMountNamespace = config.hostMounts !== undefined
  const runtime = stack.use(await openRuntime({ execRoot: config.execRoot, path: config.path, ownMountNamespace, log }))
  const { execRoot, network, switchboardEntry } = config
  const switchboard = stack.use(createSwitchboard({ execRoot, entry: switchboardEntry, log }))
  const networks = stack.use(openNetworks({ ...network, db: database, execRoot, switchboard, clock, log, events }))
  const volumes = await openVolumes({
    folder: join(config.dataRoot, 'volumes'),
    database,
    trees: volumeTrees(ground),
    mounter: createVolumeMounter(ground),
    events,
    clock,
    log,
  })
  const containers = stack.use(
    await openContainers({
      ...ground,
      runtime,
      networks,
      volumes,
      mountPoints,
      capabilities: capabilities(),
      applyChanges,
    }),
  )
  return { runtime, networks, volumes, containers, mountPoints }
}

/** What volumes do with trees is the snapshot room's work, in a worker. */
function volumeTrees({ pool }: Ground) {
  return {
    copy: (from: string, to: string, options?: JobOptions) =>
      pool.run<object, void>('tree.copy', { from, to }, options),
    isEmpty: (path: string, options: JobOptions) =>
      pool.run<string, boolean>('tree.isEmpty', path, { lane: 'short', ...options }),
    remove: (path: string) => pool.run<string, number>('tree.remove', path),
    usage: async (path: string) => {
      const { size } = await pool.run<string, { readonly size: number }>('tree.usage', path, { lane: 'short' })
      return size
    },
  }
}

function openBuilding(ground: Ground, transfer: Transfer, running: Running): Builder {
  const { runtime, networks, mountPoints } = running
  const runner = createRunner({
    runtime,
    networks,
    mountPoints,
    execRoot: ground.config.execRoot,
    capabilities: capabilities(),
  })
  return createBuilder({
    ...ground,
    dataRoot: ground.config.dataRoot,
    transfer,
    runner,
    fetch: createFetcher({ proxy: ground.config.proxy }),
    filters: filtersOf(ground.programs),
  })
}

function openCollection(ground: Ground, containers: OpenContainers): Collection {
  const { database, leases, log, clock, content, snapshots, imageCollector } = ground
  const collectors = [
    content.collector,
    snapshots.collector,
    createLayerCollector({ database }),
    imageCollector,
    createCacheCollector({ database, clock }),
    containers.collector,
    createHubCollector({ database, clock }),
  ]
  const collector = createGarbageCollector({ database, leases, collectors, log })
  return scheduleCollection({ collector, collectors, snapshots, content, log })
}

/** Build steps of a killed predecessor go first, then containers and what the kernel has are compared. */
async function restore(ground: Ground, { runtime, networks, containers }: Running, builds: Builder): Promise<void> {
  await runtime.removeLeftoverSteps()
  await removeLeftoverRoots(ground.config.execRoot)
  await builds.restore()
  await containers.restore()
  const alive = new Set((await containers.list()).filter(isAlive).map((container) => container.id))
  await networks.restore(alive)
  await containers.settle()
}

interface Assembly {
  readonly ground: Ground
  readonly transfer: Transfer
  readonly hub: Hub
  readonly remotes: RemoteService
  readonly running: Running
  readonly builds: Builder
  readonly collection: Collection
}

function assemble(assembly: Assembly, close: () => Promise<void>): Engine {
  const { ground, transfer, hub, remotes, running, builds, collection } = assembly
  const { containers, networks, volumes, runtime } = running
  const { images: records, layers, events, log } = ground
  const collectSoon = (): void => collection.soon()
  const images = createImageService({
    images: records,
    layers,
    transfer,
    fetch: createFetcher({ proxy: ground.config.proxy }),
    events,
    containers,
    leases: ground.leases,
    snapshots: ground.snapshots,
    collect: (options) => collection.now(options),
    collectAfterRemoval: () => collection.afterRemoval(),
  })
  const disk = { ground, containers, volumes, collectors: collection.collectors, cacheUsage: () => builds.cacheUsage() }
  const reportDisk = createDiskReporter(disk)
  const check = createStoreCheck({ ground, transfer, containers, volumes, builds, collectSoon })
  const system = createSystemService({ ground, runtime, networks, containers, images, collection, reportDisk, check })
  log.info('engine is open', {
    version: ground.config.version,
    runtime: runtime.program.name,
    root: ground.config.dataRoot,
  })
  return {
    images,
    remotes,
    builds: collectingBuilder(builds, collection, events),
    containers,
    networks: networkService(networks, events),
    volumes,
    registry: hub,
    events,
    system,
    [Symbol.asyncDispose]: close,
  }
}

/** Cache records that a prune takes away were roots: what only they held comes back at once. */
function collectingBuilder(builds: Builder, collection: Collection, events: EventBus): Builder {
  return {
    ...builds,
    async prune(options) {
      const { removed } = await builds.prune(options)
      const bytes = removed.length === 0 ? 0 : await collection.now()
      tellPrune(events, 'builder', bytes)
      return { removed, bytes }
    },
  }
}

function networkService(networks: Networks, events: EventBus): NetworkService {
  return {
    get: (name) => networks.get(name),
    list: () => networks.list(),
    endpoints: (id) => networks.endpoints(id),
    create: (request) => networks.create(request),
    remove: (name) => networks.remove(name),
    async prune(keep) {
      const removed = await networks.prune(keep)
      tellPrune(events, 'network', 0)
      return removed
    },
  }
}
