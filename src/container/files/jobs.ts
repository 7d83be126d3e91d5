import type { JobContext } from '#kernel'
import { writeLayer } from '#store/layer'
import { copyJobs } from './copy-jobs.ts'
import { type TarOutput, tarOutput } from './tar-output.ts'

export interface ExportInput extends TarOutput {
  /** A mounted root, seen whole. */
  readonly root: string
}

/** Synchronous work of this room, run in a worker. */
export const containerJobs = {
  ...copyJobs,
  /** The whole root as a tar. */
  'container.export': ({ root, ...output }: ExportInput, context: JobContext): void => {
    writeLayer({ upper: root }, tarOutput(output, context).put, context)
  },
}
