import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { internal, sleep } from '#base'
import { killProcess, runProcess } from '#kernel'

/** A process that was stopped is looked at this often and this many times before it is given up. Milliseconds. */
const LOOK_EVERY = 150
const LOOKS = 4

/**
 * Resolves once this process, or one that it started, has been stopped (SIGSTOP, a debugger) for a while, with words
 * for it. A slow one is not meant: it is waited for. Rejects as `cancelled` where the signal is aborted.
 */
export async function standstillOf(pid: number, signal: AbortSignal): Promise<string> {
  for (let seen = 0; ;) {
    await sleep(LOOK_EVERY, signal)
    const stopped = familyOf(pid).find(isStopped)
    seen = stopped === undefined ? 0 : seen + 1
    if (stopped !== undefined && seen >= LOOKS)
      return `the ${roleOf(stopped)} (process ${stopped}) was stopped and stands still`
  }
}

/** Runs the runtime to its end. One that stands still is killed, and that is the error. */
export async function runWatched(file: string, args: readonly string[], path: string): ReturnType<typeof runProcess> {
  const ended = new AbortController()
  const reasons: string[] = []
  const onStart = (pid: number): void => {
    standstillOf(pid, ended.signal).then(
      (reason) => {
        reasons.push(reason)
        killFamily(pid)
      },
      () => undefined,
    )
  }
  try {
    const outcome = await runProcess(file, args, { env: { PATH: path }, onStart })
    if (reasons[0] !== undefined) throw internal(`cannot run ${args.slice(1).join(' ')}: ${reasons[0]}`)
    return outcome
  } finally {
    ended.abort()
  }
}

/** Kills a process and those that it started, also where they stand still. */
export function killFamily(pid: number): void {
  for (const one of familyOf(pid)) killProcess(one, constants.signals.SIGKILL)
}

/** True where a signal or a debugger stopped it. */
export function isStopped(pid: number): boolean {
  return /^[Tt]/.test(statusOf(pid))
}

function familyOf(pid: number): readonly number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
  return [pid, ...children.flatMap(familyOf)]
}

/** proc(5): the state is the first word behind the name, which may hold anything. */
function statusOf(pid: number): string {
  const text = read(`/proc/${pid}/stat`)
  return text.slice(text.lastIndexOf(')') + 2)
}

function roleOf(pid: number): string {
  return read(`/proc/${pid}/comm`).trim() === 'conmon' ? 'monitor' : 'runtime'
}

/** Empty where the process has gone. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
