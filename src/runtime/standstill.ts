import { readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { internal, sleep } from '#base'
import { killProcess, runProcess } from '#kernel'

/** A process that was stopped is looked at this often and this many times before it is given up. Milliseconds. */
const LOOK_EVERY = 150
const LOOKS = 4
/** Processes that all sleep and never woke in so many looks wait for something that does not come. */
const ASLEEP_LOOKS = 8
const ASLEEP = 'it was given up: see whether a folder of the container is on a file system that does not answer'

/**
 * Resolves, with words for it, once this process or one that it started has been stopped (SIGSTOP, a debugger) for a
 * while, or all of them sleep and do nothing. A slow one is not meant: who waits for a processor or a disk is waited for.
 * Rejects as `cancelled` where the signal is aborted.
 */
export async function standstillOf(pid: number, signal: AbortSignal): Promise<string> {
  let [seen, still, before]: [number, number, string | undefined] = [0, 0, undefined]
  for (;;) {
    await sleep(LOOK_EVERY, signal)
    const family = familyOf(pid)
    const stopped = family.find(isStopped)
    seen = stopped === undefined ? 0 : seen + 1
    if (stopped !== undefined && seen >= LOOKS)
      return `the ${roleOf(stopped)} (process ${stopped}) was stopped and stands still; it was given up, try again`
    const sleeping = sleepOf(family)
    still = sleeping !== undefined && sleeping === before ? still + 1 : 0
    before = sleeping
    if (still >= ASLEEP_LOOKS) return `the runtime (process ${family.at(-1) ?? pid}) sleeps and stands still; ${ASLEEP}`
  }
}

/** Changes when one of them wakes; undefined where one does not sleep. */
function sleepOf(family: readonly number[]): string | undefined {
  if (!family.every((pid) => statusOf(pid).startsWith('S'))) return undefined
  return family.map((pid) => `${pid}:${switchesOf(pid)}`).join()
}

/** How often each of its threads got and left a processor. */
function switchesOf(pid: number): string {
  const counts = threadsOf(pid).map((thread) =>
    [...read(`/proc/${pid}/task/${thread}/status`).matchAll(/ctxt_switches:\s*(\d+)/g)].map(([, count]) => count),
  )
  return counts.flat().join(' ')
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
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
