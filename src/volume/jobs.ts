import { attachMount, type JobTable } from '#kernel'
import type { VolumeMount } from './options.ts'

export interface MountVolumeInput extends VolumeMount {
  readonly target: string
}

/** A mount may wait for its server for minutes: it has a thread of its own. */
export const volumeJobs = {
  'volume.mount': ({ device, type, options, target }: MountVolumeInput): void => {
    attachMount({ type, source: device, options: options.split(',').filter(Boolean) }, target)
  },
} satisfies JobTable
