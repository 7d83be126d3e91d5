import type { BuildEvent } from '#engine'
import { type ProgressLine, progressText } from '#wire'

/** What pulls, pushes, loads and the FROM of a build say of one layer or of the whole. */
export type TransferProgress = Extract<BuildEvent, { kind: 'pull' }>['progress']

/** Progress as Docker's clients read it: numbers, and a bar for those that show lines as they are. */
export function progressLine({ id, status, current, total }: TransferProgress): ProgressLine {
  const named = id !== undefined && { id }
  if (current === undefined) return { status, ...named, ...(id !== undefined && { progressDetail: {} }) }
  const detail = { current, ...(total !== undefined && { total }) }
  return { status, progressDetail: detail, progress: progressText(current, total ?? 0), ...named }
}
