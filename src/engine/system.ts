import { statfs } from 'node:fs/promises'
import type { ContainerService } from '#container'
import { cgroupMode } from '#kernel'
import type { Networks } from '#network'
import type { Runtime } from '#runtime'
import type { Collection } from './collection.ts'
import { networkFindings, runtimeFinding } from './doctor.ts'
import type { Ground } from './ground.ts'
import { checkHost } from './host-checks.ts'
import { isAlive } from './remove-image.ts'
import type { ImageService, SystemService } from './types.ts'

export interface SystemParts {
  readonly ground: Ground
  readonly runtime: Runtime
  readonly networks: Networks
  readonly containers: ContainerService
  readonly images: ImageService
  readonly collection: Collection
  readonly reportDisk: SystemService['diskReport']
  readonly check: SystemService['check']
}

export function createSystemService(parts: SystemParts): SystemService {
  const { ground, runtime, containers, images, networks } = parts
  return {
    id: ground.id,
    version: ground.config.version,
    config: ground.config,
    startedAt: ground.clock.nanoseconds(),
    runtime: runtime.program,
    cgroups: cgroupMode(),
    async diskUsage() {
      const layers = await ground.layers.list()
      return { layersSize: layers.reduce((sum, layer) => sum + layer.content, 0), images: await images.list() }
    },
    diskReport: parts.reportDisk,
    async freeBytes() {
      const { bavail, bsize } = await statfs(ground.config.dataRoot)
      return bavail * bsize
    },
    check: parts.check,
    collect: () => parts.collection.now(),
    async doctor() {
      const host = await checkHost(ground.config.dataRoot, ground.config.path)
      return [...host, runtimeFinding(runtime.program), ...(await networkFindings(networks))]
    },
    async stopAll() {
      const running = (await containers.list()).filter(isAlive)
      await Promise.all(running.map((container) => containers.stop(container.id, {})))
      await networks.teardown()
    },
  }
}
