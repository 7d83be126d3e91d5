/**
 * switchboard: a process of its own beside the daemon that answers names in containers on networks of a user's own, at
 * 127.0.0.11 in their network namespaces, and carries the few ports that the kernel alone cannot. It works by a table
 * that the daemon sends it, outlives the daemon, and is found again by its socket in the exec root. What the table
 * says is the network room's to know.
 */
export type * from './types.ts'
export { createSwitchboard } from './client.ts'
export { serveSwitchboard } from './serve.ts'
