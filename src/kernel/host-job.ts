import { fstatSync, mkdirSync, realpathSync, statSync } from 'node:fs'
import { cloneMount, joinMountNamespace, mountTable, unmountSync, withCopiedNamespace } from '#kernel/mount'
import type { HostEntry, JobTable } from './types.ts'

/** Descriptors of the host's mount namespace and of the root folder there. */
export interface HostDescriptors {
  readonly namespace: number
  readonly root: number
}

/** Each job names the namespace it is meant for: a thread that was started again is not there yet. */
export interface HostInput {
  readonly host: HostDescriptors | undefined
  readonly path: string
}

/** The jobs behind `openHostMounts`; `serveJobs` adds them to every worker. They move their thread for ever. */
export const hostJobs = {
  'kernel.hostClone': (input: HostInput & { readonly recursive: boolean }): number => {
    enter(input.host)
    const clone = (): number => cloneMount(input.path, { recursive: input.recursive })
    // The kernel attaches no tree with a pinned mount namespace in it (ELOOP); copies of a namespace have no pins.
    return input.recursive && input.host && hasPinBelow(input.path) ? withCopiedNamespace(input.host, clone) : clone()
  },
  'kernel.hostInspect': (input: HostInput): HostEntry | undefined => {
    enter(input.host)
    const found = statSync(input.path, { throwIfNoEntry: false })
    if (!found) return undefined
    return { kind: found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'other', mode: found.mode & 0o7777 }
  },
  'kernel.hostMakeFolder': (input: HostInput & { readonly mode: number }): void => {
    enter(input.host)
    mkdirSync(input.path, { recursive: true, mode: input.mode })
  },
  'kernel.hostUnmount': (input: HostInput): void => {
    enter(input.host)
    unmountSync(input.path, { detach: true, ifMounted: true })
  },
} satisfies JobTable

function hasPinBelow(path: string): boolean {
  const folder = realpathSync(path).replace(/\/?$/, '/')
  return mountTable().some(
    ({ type, root, target }) => type === 'nsfs' && root.startsWith('mnt:') && target.startsWith(folder),
  )
}

function enter(host: HostDescriptors | undefined): void {
  const isThere = !host || fstatSync(host.namespace).ino === statSync('/proc/thread-self/ns/mnt').ino
  if (!isThere) joinMountNamespace(host.namespace, host.root)
}
