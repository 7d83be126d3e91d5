/**
 * volume: named and anonymous volumes: where they are on the host, who uses them, what they are seeded with.
 * A volume is a folder with its record; it is never removed while a container uses it, and never with data in it
 * that was not asked to go. Seeding shows all of the image's files or none of them, also after a crash.
 * Mounting belongs to `container`; copying and removing trees is handed in.
 */
export { openVolumes } from './volumes.ts'
export type * from './types.ts'
