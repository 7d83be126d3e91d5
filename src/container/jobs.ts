import { writeSync } from 'node:fs'
import type { JobContext } from '#kernel'
import { writeLayer } from '#store/layer'
import { copyJobs } from './copy-jobs.ts'

export interface ExportInput {
  /** A mounted root, seen whole. */
  readonly root: string
  /** The pipe's end that the tar goes to; the caller closes it. */
  readonly fd: number
}

/** Synchronous work of this room, run in a worker. */
export const containerJobs = {
  ...copyJobs,
  /** The whole root as a tar. */
  'container.export': ({ root, fd }: ExportInput, context: JobContext): void => {
    writeLayer({ upper: root }, (chunk) => writeAll(fd, chunk), context)
  },
}

function writeAll(fd: number, chunk: Buffer): void {
  for (let done = 0; done < chunk.length;) done += writeSync(fd, chunk, done)
}
