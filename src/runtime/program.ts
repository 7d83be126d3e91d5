import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { unavailable } from '#base'
import { runProcess } from '#kernel'
import { hasUnifiedTree, prepareCgroupView } from './cgroup.ts'
import { knownTrial } from './known-trial.ts'
import type { SeccompProfile } from './seccomp.ts'
import type { RuntimeProgram } from './types.ts'

export interface ProgramSearch {
  /** PATH of the daemon. */
  readonly path: string
  readonly execRoot: string
  /** True in a mount namespace of our own, where the v2 tree may be taken away. */
  readonly ownMountNamespace: boolean
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

/** A program that works here, and what its trial left. */
export interface FoundRuntime {
  readonly program: RuntimeProgram
  readonly filter: Buffer | undefined
}

/**
 * Which runtime starts containers here: crun is tried first (it takes a third of runc's time), by really creating one; runc
 * where crun cannot. Throws `unavailable` with the cure where neither can.
 */
export async function findRuntime(search: ProgramSearch, seccomp: SeccompProfile): Promise<FoundRuntime> {
  const hidden = search.ownMountNamespace && hasUnifiedTree()
  const failures: string[] = []
  for (const name of ['crun', 'runc'] as const) {
    const file = findProgram(search.path, name)
    if (file === undefined) continue
    if (name === 'crun' && hidden) await prepareCgroupView(join(search.execRoot, 'cgroup'))
    const trial = { name, file, execRoot: search.execRoot, profile: seccomp, versionOf }
    const { failure, filter, version } = await knownTrial(trial)
    const works = name === 'crun' && hidden ? 'starts with the cgroup v2 tree hidden from it' : 'starts'
    const reason = name === 'crun' ? works : (failures[0] ?? 'crun is not installed')
    if (failure === undefined) return { program: { name, file, version, reason }, filter }
    failures.push(`${name}: ${failure}`)
  }
  const found = failures.length === 0 ? 'neither crun nor runc is installed' : failures.join('; ')
  throw unavailable(`cannot start containers: ${found}; install crun (apt-get install crun)`)
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
