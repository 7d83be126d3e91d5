import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Log, unavailable } from '#base'
import { runProcess } from '#kernel'
import { hasUnifiedTree, prepareCgroupView, removeCgroup } from './cgroup.ts'
import type { RuntimeProgram } from './types.ts'

export interface ProgramSearch {
  /** PATH of the daemon. */
  readonly path: string
  readonly execRoot: string
  /** True in a mount namespace of our own, where the v2 tree may be taken away. */
  readonly ownMountNamespace: boolean
  readonly log: Log
}

/** The first of the names found on `path`, whole. */
export function findProgram(path: string, ...names: readonly string[]): string | undefined {
  const candidates = names.flatMap((name) =>
    path
      .split(':')
      .filter(Boolean)
      .map((folder) => join(folder, name)),
  )
  return candidates.find(isExecutable)
}

/**
 * Which runtime starts containers here: crun is tried first (it takes a third of runc's time), by really starting one with
 * an empty root; runc where crun does not start. Throws `unavailable` with the cure where neither does.
 */
export async function findRuntime(search: ProgramSearch): Promise<RuntimeProgram> {
  const failures: string[] = []
  const hidden = search.ownMountNamespace && hasUnifiedTree()
  const crun = findProgram(search.path, 'crun')
  if (crun !== undefined) {
    if (hidden) await prepareCgroupView(join(search.execRoot, 'cgroup'))
    const failure = await probe(crun, search.execRoot)
    const how = hidden ? 'starts with the cgroup v2 tree hidden from it' : 'starts'
    if (failure === undefined) return { name: 'crun', file: crun, version: await versionOf(crun), reason: how }
    failures.push(`crun: ${failure}`)
  }
  const runc = findProgram(search.path, 'runc')
  if (runc !== undefined) {
    const failure = await probe(runc, search.execRoot)
    const why = failures[0] ?? 'crun is not installed'
    if (failure === undefined) return { name: 'runc', file: runc, version: await versionOf(runc), reason: why }
    failures.push(`runc: ${failure}`)
  }
  const found = failures.length === 0 ? 'neither crun nor runc is installed' : failures.join('; ')
  throw unavailable(`cannot start containers: ${found}; install crun (apt-get install crun)`)
}

/** A command that no root has: a runtime that complains of it has done everything before it. */
const ABSENT = '/mica-probe'
const PROBE_ID = 'mica-probe'

async function probe(program: string, execRoot: string): Promise<string | undefined> {
  mkdirSync(execRoot, { recursive: true, mode: 0o711 })
  const folder = mkdtempSync(join(execRoot, 'probe-'))
  const id = `${PROBE_ID}-${process.pid}`
  try {
    for (const name of ['dev', 'proc', 'sys']) mkdirSync(join(folder, 'root', name), { recursive: true })
    writeFileSync(join(folder, 'config.json'), JSON.stringify(probeSpec(folder, id)))
    const args = ['--root', join(folder, 'state'), 'run', '--bundle', folder, id]
    const { status, stderr } = await runProcess(program, args, { limit: 1 << 16 })
    const text = stderr.toString('utf8').trim()
    if (status.code !== 0 && text.includes(ABSENT)) return undefined
    return text.split('\n').at(-1) ?? `exit code ${status.code}`
  } finally {
    removeCgroup(`/mica/${id}`)
    rmSync(folder, { recursive: true, force: true })
  }
}

function probeSpec(folder: string, id: string): object {
  return {
    ociVersion: '1.0.2',
    process: { user: { uid: 0, gid: 0 }, args: [ABSENT], env: ['PATH=/'], cwd: '/' },
    root: { path: join(folder, 'root') },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
    linux: {
      cgroupsPath: `/mica/${id}`,
      namespaces: ['mount', 'pid', 'ipc', 'uts', 'network'].map((type) => ({ type })),
    },
  }
}

async function versionOf(program: string): Promise<string> {
  const { stdout } = await runProcess(program, ['--version'], { limit: 1 << 12 })
  return /version (\S+)/.exec(stdout.toString('utf8'))?.[1] ?? 'unknown'
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
