// node_modules: filled by npm, by the lock file's versions, when it is missing or older than the lock.
import { existsSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { modules, project, projectNode } from './place.mjs'
import { capture, say, Stop } from './run.mjs'

const installed = join(modules, '.package-lock.json')
const lock = join(project, 'package-lock.json')

export function installModules() {
  if (isCurrent()) return
  say('npm install')
  // Not `npm ci`: it refuses a lock without the packages of platforms that the registry of the day lacked. No install
  // script is needed: Node, koffi and the tools come as ready files in platform packages.
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  capture('npm', ['install', '--no-save', '--ignore-scripts', ...quiet], { cwd: project })
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
