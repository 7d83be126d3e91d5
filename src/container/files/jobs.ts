import type { JobContext } from '#kernel'
import { writeLayer } from '#store/layer'
import { type AttachInput, attachInside } from './attach-job.ts'
import { type CloneInput, cloneBelow } from './clone-job.ts'
import { copyJobs } from './copy-jobs.ts'
import { type TarOutput, tarOutput } from './tar-output.ts'

export interface ExportInput extends TarOutput {
  /** A mounted root, seen whole. */
  readonly root: string
}

/** Synchronous work of this room, run in a worker. */
export const containerJobs = {
  ...copyJobs,
  'container.attach': (input: AttachInput): void => attachInside(input),
  'container.clone': (input: CloneInput): number => cloneBelow(input),
  /** The whole root as a tar. */
  'container.export': ({ root, ...output }: ExportInput, context: JobContext): void => {
    writeLayer({ upper: root }, tarOutput(output, context).put, context)
  },
}
