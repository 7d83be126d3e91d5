import { conflict, EngineError, internal, isKind } from '#base'
import { type ContainerRecord, isLive } from '#container/record'
import type { Parts } from './parts.ts'

/** What stands before the other container's id or name in the network mode. */
export const SHARED = 'container:'

/**
 * A container about to start that is to have another's network: with its host name, as that one has it now, and the other by
 * its whole id, where the request says a name that nobody had when it was made. Throws in Docker's words.
 */
export function withSharedNetwork({ records }: Pick<Parts, 'records'>, record: ContainerRecord): ContainerRecord {
  const { networkMode } = record.request
  if (!networkMode.startsWith(SHARED)) return record
  const other = findShared(records, networkMode.slice(SHARED.length))
  checkShared(record, other)
  const { domainname } = other.request
  const request = { ...record.request, ...(domainname !== undefined && { domainname }) }
  const named = records.update(record.id, { hostname: other.hostname, request })
  return { ...named, request: { ...request, networkMode: `${SHARED}${other.id}` } }
}

function findShared(records: Parts['records'], other: string): ContainerRecord {
  try {
    return records.resolve(other).record
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error
    throw new EngineError('not-found', `joining network namespace of container: ${error.message}`, { cause: error })
  }
}

function checkShared({ id }: ContainerRecord, other: ContainerRecord): void {
  if (other.id === id) throw internal('cannot join own network namespace')
  if (other.state === 'restarting')
    throw conflict(`container ${other.id} is restarting, wait until the container is running`)
  if (!isLive(other.state))
    throw conflict(
      `cannot join network namespace of a non running container: container ${other.name} is ${other.state}`,
    )
}
