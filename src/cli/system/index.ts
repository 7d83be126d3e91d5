/**
 * cli/system: the commands about the engine itself, one file each: daemon and doctor, version and info, inspect over
 * all kinds of objects, volumes, networks, prunes, events. A command turns flags into calls of the API and the answers
 * into docker's words. What makes a machine fit for mica is the engine's to know.
 */
export { check } from './check.ts'
export { daemon } from './daemon.ts'
export { diskUsage } from './disk-usage.ts'
export { doctor } from './doctor.ts'
export { events } from './events.ts'
export { info } from './info.ts'
export { inspect, inspectContainer, inspectImage, inspectNetwork, inspectVolume } from './inspect.ts'
export { connectNetwork, createNetwork, disconnectNetwork, removeNetwork } from './network.ts'
export { networks } from './networks.ts'
export { pruneContainers, pruneImages, pruneNetworks, pruneVolumes } from './prune.ts'
export { listRegistries, pruneRegistries, serveRegistry, stopRegistry } from './registry.ts'
export { pruneCache, pruneSystem } from './prune-all.ts'
export { version } from './version.ts'
export { createVolume, removeVolume, volumes } from './volumes.ts'
export { whyDisk } from './why.ts'
