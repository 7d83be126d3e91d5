/**
 * container/stream: what containers say, live and written down. A hub shares one container's streams among all who are
 * attached, also before it starts; the log is read byte for byte, from its start or its end, and followed without losing
 * a line. It promises that a slow reader never holds up the end of a container, and that a log stays within its limits
 * (docs/decisions/015-logs.md). Records and names belong to the room.
 */
export { type AttachHub, createHub } from './hub.ts'
export { type LogLife, readLog } from './log-file.ts'
export { createLogFiles, type LogFiles } from './log-files.ts'
export { keepLog } from './log-keeper.ts'
export { checkLog, DEFAULT_LOG, type LogConfig, logLimits } from './log-options.ts'
export type * from './types.ts'
