// Where things are: the project, its own Node, the cache that all clones on a machine share, what `npm start` left running.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
export const modules = join(project, 'node_modules')
export const dist = join(project, 'dist')

/** Unpacked programs, base images and the stand-in registry's data; MICA_CACHE moves it. */
export const cache = process.env.MICA_CACHE ?? '/var/cache/mica'

/** State of the registry and the daemon that `npm start` runs. */
export const running = process.env.MICA_START ?? '/run/mica-start'

export const launcher = join(project, 'bin/mica')

/** Node 24 out of the optional platform package; the scripts themselves run on what npm runs on. */
export function projectNode() {
  const path = join(modules, `node-linux-${process.arch}/bin/node`)
  if (existsSync(path)) return path
  return Number(process.versions.node.split('.')[0]) >= 24 ? process.execPath : undefined
}

/** The Node that bin/mica starts: of mica's own packages, or beside mica where it was installed among others. */
export function packagedNode() {
  return [modules, dirname(project)]
    .map((folder) => join(folder, `node-linux-${process.arch}/bin/node`))
    .find((path) => existsSync(path))
}

/** A tool of node_modules as words to run: its own JavaScript by the project's Node. */
export function tool(name) {
  return [projectNode() ?? process.execPath, join(modules, '.bin', name)]
}
