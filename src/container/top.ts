import { constants } from 'node:os'
import { conflict, internal, invalid, sleep, unavailable } from '#base'
import { isErrno, killProcess, runProcess, Stillness } from '#kernel'
import { isLive } from '#container/record'
import { emitEvent } from './parts.ts'
import type { Parts } from './parts.ts'

export interface ProcessTable {
  readonly titles: readonly string[]
  readonly processes: readonly (readonly string[])[]
}

/** Bytes of ps' answer that are looked at. */
const LIMIT = 16 << 20

/** What the host's ps says of a container's processes. `psArgs` are ps' own; without any `-ef`. */
export async function topContainer(parts: Parts, name: string, psArgs: readonly string[]): Promise<ProcessTable> {
  const { record } = parts.records.resolve(name)
  if (!isLive(record.state)) throw conflict(`container ${record.id} is not running`)
  const args = psArgs.length === 0 ? ['-ef'] : psArgs
  const pids = new Set(await parts.runtime.processes(record.id))
  const { status, stdout, stderr } = await runPsFor(parts, args, pids)
  if (status.code !== 0) throw invalid(`ps: ${firstLine(stderr) || `exit status ${status.code}`}`)
  const table = parseTable(stdout.toString('utf8'), pids)
  emitEvent(parts, 'top', record)
  return table
}

function firstLine(bytes: Buffer): string {
  return bytes.toString('utf8').trim().split('\n')[0] ?? ''
}

/** Asked for these processes; without that where its other words do not go together with it (`f`). */
async function runPsFor(
  parts: Parts,
  args: readonly string[],
  pids: ReadonlySet<number>,
): ReturnType<typeof runProcess> {
  const outcome = await runPs(parts, [...args, `-q${[...pids].join(',')}`])
  return outcome.status.code === 0 ? outcome : await runPs(parts, args)
}

async function runPs(parts: Parts, args: readonly string[]): ReturnType<typeof runProcess> {
  const ended = new AbortController()
  const hung: true[] = []
  const onStart = (pid: number): void => {
    void killIfStill(pid, ended.signal).then((killed) => killed && hung.push(true))
  }
  try {
    const outcome = await runProcess('ps', args, { env: { PATH: parts.config.path }, limit: LIMIT, onStart })
    if (hung.length > 0) throw unavailable(`cannot list the processes: ps ${HANGS}`)
    return outcome
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    throw unavailable('cannot list the processes: ps is not on this machine; install it (apt-get install procps)', {
      cause: error,
    })
  } finally {
    ended.abort()
  }
}

const HANGS =
  'has stood still for a second, as it does where one of them hangs in the kernel; see what file system that one waits for'
/** Milliseconds. */
const PATIENCE = 1000
const LOOK_EVERY = 100

/** True where it had to be killed: reading the arguments of a process that hangs in the kernel may hang too. */
async function killIfStill(pid: number, signal: AbortSignal): Promise<boolean> {
  const stillness = new Stillness(`/proc/${pid}`)
  try {
    while (stillness.look(performance.now()) < PATIENCE) await sleep(LOOK_EVERY, signal)
  } catch {
    return false
  }
  return killProcess(pid, constants.signals.SIGKILL)
}

/** The lines of ps whose PID is one of these; the last column takes the rest of the line. */
export function parseTable(text: string, pids: ReadonlySet<number>): ProcessTable {
  const [head = '', ...lines] = text.split('\n')
  const titles = head.trim().split(/\s+/)
  const column = titles.indexOf('PID')
  if (column < 0) throw internal("Couldn't find PID field in ps output")
  const rows = lines.filter((line) => line.trim() !== '').map((line) => splitColumns(line, titles.length))
  return { titles, processes: rows.filter((row) => pids.has(Number(row[column]))) }
}

function splitColumns(line: string, count: number): readonly string[] {
  const words = line.trim().split(/\s+/)
  return words.length <= count ? words : [...words.slice(0, count - 1), words.slice(count - 1).join(' ')]
}
