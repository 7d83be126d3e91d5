/**
 * volume: named and anonymous volumes: where they are on the host, who uses them, what they are seeded with.
 * A volume is a folder with its record; it is never removed while a container uses it, and never with data in it
 * that was not asked to go. Seeding shows all of the image's files or none of them, also after a crash.
 * What a volume's options name is mounted at its folder for as long as somebody uses it. Mounting volumes into containers
 * belongs to `container`; copying and removing trees is handed in.
 */
export { volumeJobs } from './jobs.ts'
export { createVolumeMounter } from './mounter.ts'
export { openVolumes } from './volumes.ts'
export type * from './types.ts'
