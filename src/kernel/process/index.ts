/**
 * kernel/process: children by `posix_spawn` with exactly the environment and descriptors that were named, processes by pidfd, and
 * programs sealed in memory. It promises that starting a child does not stop the event loop. What is started,
 * and why, others decide.
 */
export type { ExitStatus, ProcessRequest, SpawnedProcess } from './types.ts'
export { endProcess, killProcess, openPidfd, processExited } from './process.ts'
export { type SealedProgram, sealProgram } from './sealed-program.ts'
export { runProcess, spawnProcess } from './spawn.ts'
