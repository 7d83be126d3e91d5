import { invalid } from '#base'
import { closeDescriptor, setCloseOnExec } from '#kernel/call'
import type { HostDescriptors } from './host-job.ts'
import { HostThreads } from './host-thread.ts'
import type { HostMounts } from './types.ts'

/**
 * Looks at files as the host sees them, while the daemon lives in a mount namespace of its own: by threads that went back
 * to the host's namespace for ever. `entry` is the file that calls `serveJobs`; `inherited` is what
 * `reexecuteInMountNamespace` handed over in the environment (`HOST_VARIABLE`); without it our own view is taken.
 * A file system that hangs holds up nobody who looks elsewhere; who looks there is told so.
 */
export function openHostMounts(options: {
  readonly entry: string | URL
  readonly inherited?: string | undefined
}): HostMounts {
  const host = options.inherited === undefined ? undefined : parseInherited(options.inherited)
  const threads = new HostThreads(options.entry)
  return {
    clone: (path, { recursive = false } = {}) =>
      threads.run('kernel.hostClone', { host, path, recursive }, closeDescriptor),
    inspect: (path) => threads.run('kernel.hostInspect', { host, path }),
    makeFolder: (path, mode = 0o755) => threads.run('kernel.hostMakeFolder', { host, path, mode }),
    unmount: (path) => threads.run('kernel.hostUnmount', { host, path }),
    [Symbol.asyncDispose]: () => threads[Symbol.asyncDispose](),
  }
}

function parseInherited(text: string): HostDescriptors {
  const match = /^(\d+):(\d+)$/.exec(text)
  if (!match) throw invalid(`cannot use the host's mounts: "${text}" does not name two descriptors`)
  const host = { namespace: Number(match[1]), root: Number(match[2]) }
  setCloseOnExec(host.namespace)
  setCloseOnExec(host.root)
  return host
}
