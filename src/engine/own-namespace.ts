import { mkdirSync, writeFileSync } from 'node:fs'
import { attachMount, mountTable, unmountSync } from '#kernel'

/** The descriptor at which the re-executed daemon finds the mount namespace of the host (see decision 005). */
export const HOST_NAMESPACE_DESCRIPTOR = 9

/** Where the daemon's own mount namespace is pinned. */
export function namespacePin(execRoot: string): string {
  return `${execRoot}/mnt`
}

export interface Reexecution {
  readonly execRoot: string
  /** What to execute inside, its arguments included. */
  readonly command: readonly string[]
}

/**
 * The command line that goes on inside the daemon's own mount namespace: the pinned one of a predecessor, else a new
 * one that is pinned now. The caller executes it in its own place (`execve`), so that the pid stays.
 */
export function planReexecution({ execRoot, command }: Reexecution): readonly string[] {
  const pin = namespacePin(execRoot)
  const pinned = mountTable().some((entry) => entry.target === pin && entry.type === 'nsfs')
  if (!pinned) preparePin(execRoot, pin)
  const enter = pinned ? ['nsenter', `--mount=${pin}`, '--'] : ['unshare', `--mount=${pin}`, '--propagation', 'slave', '--']
  const keepHost = `exec ${HOST_NAMESPACE_DESCRIPTOR}</proc/self/ns/mnt; exec "$@"`
  return ['/bin/sh', '-c', keepHost, 'mica', ...enter, ...command]
}

/** A pin must lie on a private mount: the kernel refuses to propagate a namespace into itself. */
function preparePin(execRoot: string, pin: string): void {
  mkdirSync(execRoot, { recursive: true, mode: 0o711 })
  if (!mountTable().some((entry) => entry.target === execRoot)) attachMount({ type: 'bind', source: execRoot, options: ['rbind', 'private'] }, execRoot)
  writeFileSync(pin, '', { mode: 0o600 })
}

/** Takes the pin away, seen from the host's namespace: the next daemon begins with a fresh copy of the host's mounts. */
export function releaseNamespace(execRoot: string): void {
  const pin = namespacePin(execRoot)
  if (mountTable().some((entry) => entry.target === pin)) unmountSync(pin, { detach: true })
  if (mountTable().some((entry) => entry.target === execRoot)) unmountSync(execRoot, { detach: true })
}
