// node_modules: filled by `npm ci` when it is missing or older than the lock file.
import { existsSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { modules, project, projectNode } from './place.mjs'
import { capture, say, Stop } from './run.mjs'

const installed = join(modules, '.package-lock.json')
const lock = join(project, 'package-lock.json')

export function installModules() {
  if (isCurrent()) return
  say('npm ci')
  // Nothing here needs an install script: Node, koffi and the tools come as ready files in platform packages.
  capture('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: project })
  const now = new Date()
  utimesSync(installed, now, now)
  if (projectNode() === undefined) {
    throw new Stop(
      `mica needs Node 24; npm has no node-linux-${process.arch} in this project's lock: run npm with a Node 24 or newer`,
    )
  }
}

function isCurrent() {
  if (!existsSync(installed) || projectNode() === undefined) return false
  return statSync(installed).mtimeMs >= statSync(lock).mtimeMs
}
