import { EngineError, invalid } from '#base'

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/

/** Longer names would not fit a folder's. */
const MAX_LENGTH = 255

/** Throws `invalid` in Docker's words where a name breaks its rule. */
export function checkName(name: string): void {
  if (name.length === 1) {
    throw invalid(`create ${name}: volume name is too short, names should be at least two alphanumeric characters`)
  }
  if (!NAME.test(name)) {
    throw invalid(
      `create ${name}: "${name}" includes invalid characters for a local volume name, only ` +
        '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    )
  }
  if (name.length > MAX_LENGTH) throw invalid(`create ${name}: volume name is longer than ${MAX_LENGTH} bytes`)
}

/** In the words that Docker's clients match. */
export function noSuchVolume(name: string): EngineError {
  return new EngineError('not-found', `get ${name}: no such volume`, { details: { noun: 'volume', name } })
}
