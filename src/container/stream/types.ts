import type { OutputChunk } from '#runtime'

/** A line that ended comes with its line feed. */
export interface LogLine extends OutputChunk {
  /** Nanoseconds since the epoch. */
  readonly time: bigint
  /** False where the line goes on in the next chunk. */
  readonly ended: boolean
}

export interface LogOptions {
  readonly follow: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  /** Number of last lines; undefined for all. */
  readonly tail?: number
  readonly since?: bigint
  readonly until?: bigint
  readonly signal?: AbortSignal
}
