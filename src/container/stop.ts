import { conflict, EngineError, internal, invalid, isKind, sleep } from '#base'
import { type ContainerRecord, isLive, parseSignal } from '#container/record'
import { emitEvent } from './parts.ts'
import type { Parts } from './parts.ts'

/** Seconds that a container gets to end by itself, as in Docker. */
const DEFAULT_TIMEOUT = 10
/** How long the end of a killed process may take, its disk being slow. Milliseconds. */
const KILL_PATIENCE = 30_000
const SIGKILL = 9

/** Sends its stop signal, waits, and kills what is still there. `not-modified` where it does not run. */
export async function stopContainer(
  parts: Parts,
  name: string,
  options: { readonly timeout?: number; readonly signal?: string },
): Promise<void> {
  const { record } = parts.records.resolve(name)
  const signal = namedSignal('stop', name, options.signal ?? record.stopSignal)
  if (!isLive(record.state)) throw new EngineError('not-modified', `container ${record.id} is already stopped`)
  const { exited } = parts.lives.of(record.id)
  await send(parts, record, signal)
  const timeout = options.timeout ?? record.request.stopTimeout ?? DEFAULT_TIMEOUT
  if (!(await endedWithin(exited.promise, timeout < 0 ? undefined : timeout * 1000)))
    await killAndWait(parts, record.id)
  const after = parts.records.find(record.id)?.record
  emitEvent(parts, 'stop', after ?? record)
}

/** Kills a running container and waits for the record of its exit. */
export async function killAndWait(parts: Parts, id: string): Promise<void> {
  const stored = parts.records.find(id)
  if (!stored || !isLive(stored.record.state)) return
  const { exited } = parts.lives.of(id)
  await send(parts, stored.record, SIGKILL)
  if (await endedWithin(exited.promise, KILL_PATIENCE)) return
  throw internal(
    `cannot stop container: ${stored.record.name}: tried to kill container, but did not receive an exit event`,
  )
}

export async function killContainer(parts: Parts, name: string, signal: string): Promise<void> {
  const record = recordToKill(parts, name)
  const number = namedSignal('kill', name, signal === '' ? 'SIGKILL' : signal)
  const refusal = conflict(`cannot kill container: ${name}: container ${record.id} is not running`)
  if (!isLive(record.state)) throw refusal
  const { exited } = parts.lives.of(record.id)
  await send(parts, record, number)
  // As Docker: a kill that kills is answered when the container is down.
  if (number === SIGKILL) await endedWithin(exited.promise, KILL_PATIENCE)
}

function recordToKill(parts: Parts, name: string): ContainerRecord {
  try {
    return parts.records.resolve(name).record
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error
    throw new EngineError('not-found', `cannot kill container: ${name}: ${error.message}`, { cause: error })
  }
}

function namedSignal(act: 'kill' | 'stop', name: string, text: string): number {
  try {
    return parseSignal(text)
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error
    const why = /^-?0*[1-9]\d*$/.test(text) ? `the linux daemon does not support signal ${Number(text)}` : error.message
    throw invalid(`cannot ${act} container: ${name}: ${why}`, { cause: error })
  }
}

/** A paused container takes the signal when it goes on. */
async function send(parts: Parts, record: ContainerRecord, signal: number): Promise<void> {
  emitEvent(parts, 'kill', record, { signal: String(signal) })
  try {
    await parts.runtime.signal(record.id, signal)
    if (record.state === 'paused') {
      await parts.runtime.resume(record.id)
      if (parts.records.find(record.id)?.record.state === 'paused')
        parts.records.update(record.id, { state: 'running' })
    }
  } catch (error) {
    // It ended a moment ago; its exit is about to be recorded.
    if (!isKind(error, 'not-found')) throw error
  }
}

async function endedWithin(exited: Promise<void>, milliseconds: number | undefined): Promise<boolean> {
  if (milliseconds === undefined) {
    await exited
    return true
  }
  const over = new AbortController()
  const late = sleep(milliseconds, over.signal).then(
    () => false,
    () => true,
  )
  const ended = await Promise.race([exited.then(() => true), late])
  over.abort()
  return ended
}
