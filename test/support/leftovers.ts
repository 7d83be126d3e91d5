import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** What a test on the real kernel could leave behind, as lines that can be compared. */
export interface Leftovers {
  /** Waits (milliseconds) for what the kernel removes late, then fails with a list of what was not there before. */
  assertNothingLeft(patience?: number): Promise<void>
}

/** How long the kernel may take: a veth pair goes some milliseconds after its namespace, on a busy machine seconds. */
const PATIENCE = 30_000

/**
 * Looks now and compares later. Processes count where their command line, environment or mounts name one of the
 * `folders`; mounts, interfaces, named namespaces, firewall tables and empty control groups count where they are new
 * and not another engine's.
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
  const ours = folders.flatMap((folder) => EXEC_ROOTS.map((name) => markOf(join(folder, name))))
  return [
    ...mounts().map((line) => `mount ${line}`),
    ...processesOf(folders),
    ...interfaces()
      .filter((name) => !isForeign(name, ours))
      .map((name) => `interface ${name}`),
    ...names('/run/netns')
      .filter((name) => !isForeign(name, ours))
      .map((name) => `network namespace ${name}`),
    ...tables()
      .filter((line) => !isForeign(line, ours))
      .map((line) => `firewall ${line}`),
    ...emptyControlGroups(ours).map((path) => `control group ${path}`),
  ]
}

/** Where daemons and engines of tests have their exec roots. */
const EXEC_ROOTS = ['run', 'exec']

/** What a daemon with that exec root has in the names of its bridge and its firewall table. */
function markOf(execRoot: string): string {
  return createHash('sha256').update(execRoot).digest('hex').slice(0, 8)
}

/** Other engines and other daemons may run beside the test, and come and go as they like. */
function isForeign(name: string, ours: readonly string[]): boolean {
  if (/^(docker\d|br-|cni|podman)/.test(name) || /^veth[0-9a-f]{7}$/.test(name)) return true
  // The throw-away roots of scripts/fresh.mjs.
  if (/^mf\d+$|mica[-_]fresh/.test(name)) return true
  const mark = /\bmica[-_]([0-9a-f]{8})\b/.exec(name)?.[1]
  return mark !== undefined && !ours.includes(mark)
}

/** Those of our own network namespace: /sys shows those of the one it was mounted in. */
function interfaces(): readonly string[] {
  return readText('/proc/self/net/dev')
    .split('\n')
    .flatMap((line) => /^\s*([^\s:]+(?::\d+)?):/.exec(line)?.[1] ?? [])
}

/** Those of the test's own namespace; what its parent sees too came from the host, where others mount as they like. */
function mounts(): readonly string[] {
  const own = mountsOf('self')
  if (readLink('/proc/self/ns/mnt') === readLink(`/proc/${process.ppid}/ns/mnt`)) return own
  const outside = new Set(mountsOf(String(process.ppid)))
  return own.filter((line) => !outside.has(line))
}

function mountsOf(pid: string): readonly string[] {
  return readText(`/proc/${pid}/mountinfo`)
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
  const own = /^table \S+ mica/
  return [
    ...run('nft', ['list', 'tables']).filter((line) => own.test(line)),
    ...run('iptables', ['-S']).filter((line) => line.includes('mica')),
  ]
}

/** One with processes shows by those processes; groups of other daemons lie below other parents. */
function emptyControlGroups(ours: readonly string[]): readonly string[] {
  const root = '/sys/fs/cgroup'
  const roots = [root, ...names(root, true).map((controller) => join(root, controller))]
  return roots
    .flatMap((folder) => ours.map((mark) => join(folder, `mica-${mark}`)))
    .flatMap((parent) => names(parent, true).map((id) => join(parent, id)))
    .filter((group) => readText(join(group, 'cgroup.procs')) === '')
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
