import type * as Containers from '#cli/container'
import type * as Credentials from '#cli/credential'
import type * as Images from '#cli/image'
import type { Command } from '#cli/kit'
import type * as System from '#cli/system'

/** Loads the file of a command's kind, and picks the command. */
type Load = () => Promise<Command>

export interface Entry {
  readonly summary: string
  readonly load: Load
}

export interface Group {
  readonly title: string
  /** What an unknown command of the group is told, where docker says more than the group's name. */
  readonly usage?: string
  readonly entries: Readonly<Record<string, Entry>>
}

const ofContainer = (summary: string, pick: (room: typeof Containers) => Command): Entry => ({
  summary,
  load: async () => pick(await import('#cli/container')),
})
const ofCredential = (summary: string, pick: (room: typeof Credentials) => Command): Entry => ({
  summary,
  load: async () => pick(await import('#cli/credential')),
})
const ofImage = (summary: string, pick: (room: typeof Images) => Command): Entry => ({
  summary,
  load: async () => pick(await import('#cli/image')),
})
const ofSystem = (summary: string, pick: (room: typeof System) => Command): Entry => ({
  summary,
  load: async () => pick(await import('#cli/system')),
})

const attach = ofContainer(
  'Attach local standard input, output, and error streams to a running container',
  (room) => room.attach,
)
const build = ofImage('Build an image from a Dockerfile', (room) => room.build)
const commit = ofContainer("Create a new image from a container's changes", (room) => room.commit)
const cp = ofContainer('Copy files/folders between a container and the local filesystem', (room) => room.cp)
const create = ofContainer('Create a new container', (room) => room.create)
const diff = ofImage("Inspect changes on a container's filesystem, or what two images differ in", (room) => room.diff)
const diffContainer = ofContainer(
  "Inspect changes to files or directories on a container's filesystem",
  (room) => room.diff,
)
const exec = ofContainer('Execute a command in a running container', (room) => room.exec)
const exported = ofContainer("Export a container's filesystem as a tar archive", (room) => room.exportContainer)
const history = ofImage('Show the history of an image', (room) => room.history)
const images = ofImage('List images', (room) => room.images)
const imported = ofImage('Import the contents from a tarball to create a filesystem image', (room) => room.importImage)
const kill = ofContainer('Kill one or more running containers', (room) => room.kill)
const layers = ofImage('Show the layers of an image or container', (room) => room.layers)
const load = ofImage('Load an image from a tar archive or STDIN', (room) => room.load)
const login = ofCredential('Authenticate to a registry', (room) => room.login)
const logout = ofCredential('Log out from a registry', (room) => room.logout)
const logs = ofContainer('Fetch the logs of a container', (room) => room.logs)
const pause = ofContainer('Pause all processes within one or more containers', (room) => room.pause)
const port = ofContainer('List port mappings or a specific mapping for the container', (room) => room.port)
const ps = ofContainer('List containers', (room) => room.ps)
const pull = ofImage('Download an image from a registry', (room) => room.pull)
const push = ofImage('Upload an image to a registry', (room) => room.push)
const rename = ofContainer('Rename a container', (room) => room.rename)
const restart = ofContainer('Restart one or more containers', (room) => room.restart)
const rm = ofContainer('Remove one or more containers', (room) => room.rm)
const rmi = ofImage('Remove one or more images', (room) => room.rmi)
const run = ofContainer('Create and run a new container from an image', (room) => room.run)
const save = ofImage('Save one or more images to a tar archive', (room) => room.save)
const search = ofImage('Search Docker Hub, or a registry that offers it, for images', (room) => room.search)
const start = ofContainer('Start one or more stopped containers', (room) => room.start)
const stop = ofContainer('Stop one or more running containers', (room) => room.stop)
const tag = ofImage('Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE', (room) => room.tag)
const top = ofContainer('Display the running processes of a container', (room) => room.top)
const unpause = ofContainer('Unpause all processes within one or more containers', (room) => room.unpause)
const wait = ofContainer('Block until one or more containers stop, then print their exit codes', (room) => room.wait)
const check = ofSystem('Compare everything in the store with what it should be, and repair it', (room) => room.check)
const df = ofSystem('Show disk usage', (room) => room.diskUsage)
const pruneSystem = ofSystem('Remove unused data', (room) => room.pruneSystem)
const pruneCache = ofSystem('Remove build cache', (room) => room.pruneCache)
const whyDisk = ofSystem('Show what takes disk space and who keeps it', (room) => room.whyDisk)
const events = ofSystem('Get real time events from the server', (room) => room.events)
const info = ofSystem('Display system-wide information', (room) => room.info)
const inspect = ofSystem(
  'Return low-level information on containers, images, networks and volumes',
  (room) => room.inspect,
)
const version = ofSystem('Show the mica version information', (room) => room.version)

/** `mica COMMAND`, as help groups them. */
export const commands: readonly Group[] = [
  { title: 'Common Commands', entries: { run, exec, ps, build, images, history, layers, pull, push, version, info } },
  {
    title: 'Engine Commands',
    entries: {
      daemon: ofSystem('Run the engine in the foreground, or end the one that runs', (room) => room.daemon),
      doctor: ofSystem('Check that this machine has what mica needs, and how to get it', (room) => room.doctor),
    },
  },
  {
    title: 'Commands',
    entries: {
      attach,
      commit,
      cp,
      create,
      diff,
      events,
      export: exported,
      import: imported,
      inspect,
      kill,
      load,
      login,
      logout,
      logs,
      pause,
      port,
      rename,
      restart,
      rm,
      rmi,
      save,
      search,
      start,
      stop,
      tag,
      top,
      unpause,
      wait,
    },
  },
]

/** `mica GROUP COMMAND`. */
export const groups: Readonly<Record<string, Group>> = {
  builder: { title: 'Manage builds', entries: { build, prune: pruneCache } },
  container: {
    title: 'Manage containers',
    entries: {
      attach,
      commit,
      cp,
      create,
      diff: diffContainer,
      exec,
      export: exported,
      inspect: ofSystem('Display detailed information on one or more containers', (room) => room.inspectContainer),
      kill,
      logs,
      ls: ps,
      pause,
      port,
      prune: ofSystem('Remove all stopped containers', (room) => room.pruneContainers),
      rename,
      restart,
      rm,
      run,
      start,
      stop,
      top,
      unpause,
      wait,
    },
  },
  image: {
    title: 'Manage images',
    entries: {
      build,
      diff: ofImage('Show what two images differ in', (room) => room.diffImages),
      history,
      import: imported,
      inspect: ofSystem('Display detailed information on one or more images', (room) => room.inspectImage),
      layers,
      load,
      ls: images,
      prune: ofSystem('Remove unused images', (room) => room.pruneImages),
      pull,
      push,
      rm: rmi,
      save,
      tag,
    },
  },
  manifest: {
    title: 'Look at image manifests and manifest lists in registries',
    usage: 'manifest COMMAND',
    entries: {
      inspect: ofImage('Display an image manifest, or manifest list', (room) => room.inspectManifest),
    },
  },
  network: {
    title: 'Manage networks',
    entries: {
      connect: ofSystem('Connect a container to a network', (room) => room.connectNetwork),
      create: ofSystem('Create a network', (room) => room.createNetwork),
      disconnect: ofSystem('Disconnect a container from a network', (room) => room.disconnectNetwork),
      inspect: ofSystem('Display detailed information on one or more networks', (room) => room.inspectNetwork),
      ls: ofSystem('List networks', (room) => room.networks),
      prune: ofSystem('Remove all unused networks', (room) => room.pruneNetworks),
      rm: ofSystem('Remove one or more networks', (room) => room.removeNetwork),
    },
  },
  registry: {
    title: 'Serve a registry of local images, or a cache of another registry',
    entries: {
      inspect: ofImage('Show an image in its registry, without pulling', (room) => room.remoteInspect),
      ls: ofSystem('List the registries that are served, and what they hold', (room) => room.listRegistries),
      prune: ofSystem('Remove pushed manifests that no tag leads to', (room) => room.pruneRegistries),
      serve: ofSystem('Serve a registry: push to it, pull from it', (room) => room.serveRegistry),
      stop: ofSystem('Stop serving', (room) => room.stopRegistry),
      tags: ofImage('List the tags of a repository in its registry', (room) => room.remoteTags),
    },
  },
  system: { title: 'Manage mica', entries: { check, df, events, info, prune: pruneSystem } },
  volume: {
    title: 'Manage volumes',
    usage: 'volume COMMAND',
    entries: {
      create: ofSystem('Create a volume', (room) => room.createVolume),
      inspect: ofSystem('Display detailed information on one or more volumes', (room) => room.inspectVolume),
      ls: ofSystem('List volumes', (room) => room.volumes),
      prune: ofSystem('Remove unused local volumes', (room) => room.pruneVolumes),
      rm: ofSystem('Remove one or more volumes', (room) => room.removeVolume),
    },
  },
  why: { title: 'Explain what is found', entries: { disk: whyDisk } },
}

/** Other spellings that docker knows within its groups. */
export const aliases: Readonly<Record<string, string>> = { list: 'ls', ps: 'ls', remove: 'rm' }
