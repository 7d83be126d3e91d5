import { EngineError } from '#base'
import type { ProgressLine } from '#wire'

/** Lines of a list that is still being made; throws what the daemon says went wrong in the middle. */
export async function* checked<T extends object>(lines: AsyncIterable<T | ProgressLine>): AsyncIterable<T> {
  for await (const line of lines) {
    if ('error' in line && line.error !== undefined) throw new EngineError('internal', line.error)
    if (isLine<T>(line)) yield line
  }
}

function isLine<T extends object>(line: T | ProgressLine): line is T {
  return !('error' in line)
}
