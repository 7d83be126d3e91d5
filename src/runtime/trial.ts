import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { shortId } from '#base'
import { spawnProcess } from '#kernel'
import { cgroupOf, removeCgroup } from './cgroup.ts'
import type { SeccompProfile } from './seccomp.ts'

/** What came of creating a container that is never started. */
export interface Trial {
  /** Why the program cannot create one here. */
  readonly failure?: string
  /** The system call rules compiled for the kernel, where the program leaves them (crun). */
  readonly filter?: Buffer
}

/** Creates a container with an almost empty root and these rules, looks at what is there, and deletes it again. */
export async function tryProgram(program: string, execRoot: string, seccomp: SeccompProfile): Promise<Trial> {
  mkdirSync(execRoot, { recursive: true, mode: 0o711 })
  const folder = mkdtempSync(join(execRoot, 'trial-'))
  const id = `trial-${shortId()}`
  const state = join(folder, 'state')
  try {
    for (const name of ['dev', 'proc', 'sys']) mkdirSync(join(folder, 'root', name), { recursive: true })
    writeFileSync(join(folder, 'root', COMMAND), '', { mode: 0o755 })
    writeFileSync(join(folder, 'config.json'), JSON.stringify(trialSpec(folder, cgroupOf(execRoot, id), seccomp)))
    const log = join(folder, 'log')
    const code = await run(program, [`--root=${state}`, `--log=${log}`, 'create', `--bundle=${folder}`, id])
    const filter = join(state, id, 'seccomp.bpf')
    const trial =
      code === 0 ? { ...(existsSync(filter) && { filter: readFileSync(filter) }) } : { failure: lastLine(log) }
    await run(program, [`--root=${state}`, 'delete', '--force', id])
    return trial
  } finally {
    removeCgroup(cgroupOf(execRoot, id))
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Its streams go nowhere: the created process holds them for as long as it is there. */
async function run(program: string, args: readonly string[]): Promise<number> {
  const child = spawnProcess({ file: program, args, stdio: ['ignore', 'ignore', 'ignore'] })
  return (await child.exited).code
}

function lastLine(path: string): string {
  const text = existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
  return text.split('\n').at(-1) || 'it gave no reason'
}

/** Executable for the runtime, which looks but does not run it. */
const COMMAND = 'trial'

function trialSpec(folder: string, cgroupsPath: string, seccomp: SeccompProfile): object {
  return {
    ociVersion: '1.0.2',
    process: { user: { uid: 0, gid: 0 }, args: [`/${COMMAND}`], env: ['PATH=/'], cwd: '/' },
    root: { path: join(folder, 'root') },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
    linux: {
      cgroupsPath,
      namespaces: ['mount', 'pid', 'ipc', 'uts', 'network'].map((type) => ({ type })),
      seccomp,
    },
  }
}
