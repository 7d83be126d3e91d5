/**
 * cli/container: the commands about containers, one file each: create and run, start to rm, logs, exec, attach, diff,
 * commit. A command turns flags into one call of the API and its answer into docker's words; what a flag means is the
 * daemon's business. Parsing of flags, tables and streams belong to `cli/kit`.
 */
export { attach } from './attach.ts'
export { commit } from './commit.ts'
export { cp } from './cp.ts'
export { create } from './create.ts'
export { diff } from './diff.ts'
export { exec } from './exec.ts'
export { exportContainer } from './export.ts'
export { kill } from './kill.ts'
export { logs } from './logs.ts'
export { pause, unpause } from './pause.ts'
export { port } from './port.ts'
export { ps } from './ps.ts'
export { rename } from './rename.ts'
export { restart } from './restart.ts'
export { rm } from './rm.ts'
export { run } from './run.ts'
export { start } from './start.ts'
export { stop } from './stop.ts'
export { top } from './top.ts'
export { wait } from './wait.ts'
