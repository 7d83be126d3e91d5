import { libc } from '#kernel/call'

/**
 * Gives back to the system what this process holds and does not use: V8 keeps the room that young objects had, the C
 * library freed memory between pieces in use. The thread stands still for some 30 ms. Without `--expose-gc` V8's part is left
 * out, with another C library than glibc the other.
 */
export function giveMemoryBack(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  libc().mallocTrim?.(0)
}
