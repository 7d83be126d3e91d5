import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** What a test on the real kernel could leave behind, as lines that can be compared. */
export interface Leftovers {
  /** Waits (milliseconds) for what the kernel removes late, then fails with a list of what was not there before. */
  assertNothingLeft(patience?: number): Promise<void>
}

/** How long the kernel may take: a veth pair goes some milliseconds after its namespace. */
const PATIENCE = 5000

/**
 * Looks now and compares later. Processes count where their command line, environment or mounts name one of the
 * `folders`; mounts, interfaces, named namespaces, firewall tables and control groups count where they are new.
 */
export function watchLeftovers(...folders: readonly string[]): Leftovers {
  const before = new Set(look(folders))
  return {
    async assertNothingLeft(patience = PATIENCE) {
      const end = Date.now() + patience
      for (;;) {
        const left = look(folders).filter((line) => !before.has(line))
        if (left.length === 0) return
        if (Date.now() > end) assert.fail(`the test left behind:\n  ${left.join('\n  ')}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
  }
}

/** Every file, folder and link below a folder, as sorted relative paths: for a test to say what may be there. */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
}

function look(folders: readonly string[]): readonly string[] {
  return [
    ...mounts().map((line) => `mount ${line}`),
    ...processesOf(folders),
    ...names('/sys/class/net').map((name) => `interface ${name}`),
    ...names('/run/netns').map((name) => `network namespace ${name}`),
    ...tables().map((line) => `firewall ${line}`),
    ...controlGroups().map((path) => `control group ${path}`),
  ]
}

function mounts(): readonly string[] {
  return readText('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ')
      return `${fields[4]} (${fields[fields.indexOf('-') + 1]}, ${fields[3]})`
    })
}

function processesOf(folders: readonly string[]): readonly string[] {
  const own = readLink('/proc/self/ns/mnt')
  return names('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      const places = ['cmdline', 'environ']
      // Where the mounts are the test's own they say nothing about the process.
      if (readLink(`/proc/${pid}/ns/mnt`) !== own) places.push('mountinfo')
      const texts = places.map((place) => readText(`/proc/${pid}/${place}`))
      return folders.some((folder) => texts.some((text) => text.includes(folder)))
    })
    .map((pid) => `process ${pid} ${readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()}`)
}

function tables(): readonly string[] {
  return [...run('nft', ['list', 'tables']), ...run('iptables', ['-S']).filter((line) => line.includes('mica'))]
}

/** Three levels show `/<controller>/mica/<id>` and what a runtime makes beside it. */
function controlGroups(): readonly string[] {
  const below = (folder: string, depth: number): string[] =>
    names(folder, true).flatMap((name) => {
      const path = join(folder, name)
      return [path, ...(depth > 1 ? below(path, depth - 1) : [])]
    })
  return below('/sys/fs/cgroup', 4)
}

function names(folder: string, onlyFolders = false): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !onlyFolders || entry.isDirectory())
      .map((entry) => entry.name)
  } catch {
    return []
  }
}

function run(program: string, args: readonly string[]): readonly string[] {
  const path = ['/usr/sbin', '/sbin', '/usr/bin']
    .map((folder) => join(folder, program))
    .find((file) => existsSync(file))
  if (path === undefined) return []
  try {
    return execFileSync(path, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .split('\n')
      .filter(Boolean)
  } catch {
    return []
  }
}

/** Empty for what has gone meanwhile, as processes do. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
