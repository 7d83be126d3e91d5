import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ifExists } from '#base'
import { HOST_VARIABLE, reexecuteInMountNamespace, unmount } from '#kernel'
import type { HostMounts } from '#kernel'

/** Where the daemon's own mount namespace is pinned; the folder is nothing else's (see decision 005). */
function namespacePin(execRoot: string): string {
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

/**
 * Takes the pin away where nothing runs any more: the next daemon begins with a fresh copy of the host's mounts. The pin's
 * folder is a mount here and on the host: both go.
 */
export async function releaseOwnNamespace(execRoot: string, hostMounts: HostMounts): Promise<void> {
  const pin = namespacePin(execRoot)
  await unmount(dirname(pin), { detach: true, ifMounted: true })
  await hostMounts.unmount(pin)
  await hostMounts.unmount(dirname(pin))
  // Where the host's root is not shared, this namespace keeps its own copy of the folder's mount.
  await unmount(dirname(pin), { detach: true, ifMounted: true })
}

/** Where an engine lives: its exec root, and what it inherited of the host's mounts. */
export interface OwnPlace {
  readonly execRoot: string
  readonly hostMounts: string | undefined
}

/** The same when an engine closes, or cannot open; where a container has its bundle the namespace stays for its successor. */
export async function releaseUnusedNamespace(place: OwnPlace, hostMounts: HostMounts): Promise<void> {
  const bundles = (await ifExists(readdir(join(place.execRoot, 'c')))) ?? []
  if (place.hostMounts === undefined || bundles.length > 0) return
  await releaseOwnNamespace(place.execRoot, hostMounts)
}
