import { fstatSync, mkdirSync, statSync } from 'node:fs'
import { joinMountNamespace } from './mount-namespace.ts'
import { cloneMount, unmountSync } from './mount.ts'
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
    return cloneMount(input.path, { recursive: input.recursive })
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

function enter(host: HostDescriptors | undefined): void {
  if (!host || fstatSync(host.namespace).ino === statSync('/proc/thread-self/ns/mnt').ino) return
  joinMountNamespace(host.namespace, host.root)
}
