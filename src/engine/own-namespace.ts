import { HOST_VARIABLE, reexecuteInMountNamespace } from '#kernel'

/** Where the daemon's own mount namespace is pinned; the folder is nothing else's (see decision 005). */
export function namespacePin(execRoot: string): string {
  return `${execRoot}/namespace/mnt`
}

type Environment = Readonly<Record<string, string | undefined>>

/** How to look at the host's mounts, where this process was executed by `enterOwnNamespace`; else undefined. */
export function inheritedHost(env: Environment): string | undefined {
  return env[HOST_VARIABLE]
}

/** Replaces this process by the same program inside the daemon's own mount namespace; the pid stays. */
export function enterOwnNamespace(execRoot: string, args: readonly string[], env: Environment): never {
  return reexecuteInMountNamespace({ pin: namespacePin(execRoot), file: process.execPath, args, env })
}
