import { invalid } from '#base'
import type { HostDescriptors } from './host-job.ts'
import { setCloseOnExec } from './poll.ts'
import { createWorkerPool } from './pool.ts'
import type { HostMounts } from './types.ts'

/**
 * Looks at files as the host sees them, while the daemon lives in a mount namespace of its own: by a thread that went back
 * to the host's namespace for ever. `entry` is the file that calls `serveJobs`; `inherited` is what
 * `reexecuteInMountNamespace` handed over in the environment (`HOST_VARIABLE`); without it our own view is taken.
 */
export function openHostMounts(options: {
  readonly entry: string | URL
  readonly inherited?: string | undefined
}): HostMounts {
  const host = options.inherited === undefined ? undefined : parseInherited(options.inherited)
  const pool = createWorkerPool({ entry: options.entry, size: 1 })
  return {
    clone: (path, wanted = {}) => pool.run('kernel.hostClone', { host, path, recursive: wanted.recursive ?? false }),
    inspect: (path) => pool.run('kernel.hostInspect', { host, path }),
    makeFolder: (path, mode = 0o755) => pool.run('kernel.hostMakeFolder', { host, path, mode }),
    unmount: (path) => pool.run('kernel.hostUnmount', { host, path }),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
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
