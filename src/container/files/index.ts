/**
 * container/files: the file work of cp, export and the archive routes, as synchronous jobs for worker threads: paths found inside a
 * root whatever links stand there, packed and unpacked as tar. It promises that nothing outside of the root is read or
 * written. Which root that is, the container decides.
 */
export { type AttachedMount, type AttachInput, SAFE } from './attach-job.ts'
export type { PackInput, StatInput, UnpackInput } from './copy-jobs.ts'
export { containerJobs, type ExportInput } from './jobs.ts'
