/**
 * cli: the `mica` command: finds the command that was typed, the daemon it talks to (starting it where nobody listens
 * yet), and turns errors into docker's words and exit statuses. Each command lies in a room of its own kind and is
 * loaded only when it is typed. The environment, the streams and the daemon's program are handed in by `bin`.
 */
export { runCli } from './main.ts'
export type { CliEnvironment } from './main.ts'
export type { Io, Output } from '#cli/kit'
