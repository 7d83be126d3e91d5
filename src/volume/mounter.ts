import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { EngineError } from '#base'
import {
  closeDescriptor,
  type Hanging,
  type HostMounts,
  isErrno,
  moveMount,
  mountTable,
  parseMountOptions,
  setMountAttributes,
  unlessHung,
  unmount,
  type WorkerPool,
} from '#kernel'
import type { MountVolumeInput } from './jobs.ts'
import type { VolumeMount } from './options.ts'
import type { VolumeMounter } from './types.ts'

/** Mounts for volumes: binds of what the host sees, all else by mount(2), which may wait for a server. */
export function createVolumeMounter(parts: {
  readonly pool: WorkerPool
  readonly hostMounts: HostMounts
}): VolumeMounter {
  return {
    async mount(wanted, target) {
      const options = await withAddress(wanted)
      try {
        if (isBind(options)) await bind(parts.hostMounts, { ...wanted, options }, target)
        else await mountByWorker(parts.pool, { ...wanted, options, target })
      } catch (error) {
        throw mountError({ ...wanted, options }, target, error)
      }
    },
    unmount: takeAway,
    isMounted: (target) => mountTable().some((mount) => mount.target === target),
  }
}

/** Where its server does not answer, that is told, and what comes of it later is taken away. */
async function mountByWorker(pool: WorkerPool, input: MountVolumeInput): Promise<void> {
  const mount = (hanging: Hanging): Promise<void> =>
    pool.run('volume.mount', input, { about: `volume at ${input.target}`, ...hanging })
  await unlessHung(`cannot mount ${input.device}`, undefined, mount, () => takeAway(input.target))
}

/** Where files are open, or more is mounted below («rbind»), it goes from our sight at once and from the kernel later. */
async function takeAway(target: string): Promise<void> {
  try {
    await unmount(target, { ifMounted: true })
  } catch (error) {
    if (!isErrno(error, 'EBUSY')) throw error
    await unmount(target, { ifMounted: true, detach: true })
  }
}

function isBind(options: string): boolean {
  return options.split(',').some((option) => option === 'bind' || option === 'rbind')
}

async function bind(hostMounts: HostMounts, { device, options }: VolumeMount, target: string): Promise<void> {
  const words = options.split(',')
  const fd = await hostMounts.clone(device, { recursive: words.includes('rbind') })
  try {
    // Taking it away later must take nothing from the host.
    setMountAttributes(fd, [...words.filter((word) => word !== 'bind' && word !== 'rbind'), 'rslave'])
    moveMount(fd, target)
  } finally {
    closeDescriptor(fd)
  }
}

/** The kernel's NFS and CIFS know no names: what `addr=` names is looked up here. */
async function withAddress({ type, options }: VolumeMount): Promise<string> {
  if (!/^(nfs4?|cifs)$/.test(type)) return options
  const name = /(?:^|,)addr=([^,]*)/.exec(options)?.[1]
  if (name === undefined || name === '' || isIP(name) !== 0) return options
  const { address } = await lookup(name)
  return options.replace(`addr=${name}`, `addr=${address}`)
}

/** Docker's words, without a password. */
function mountError(wanted: VolumeMount, target: string, error: unknown): unknown {
  if (!(error instanceof EngineError)) return error
  const { flags, data } = parseMountOptions(wanted.options.split(',').filter(Boolean))
  const facts = [
    `mount ${wanted.device}:${target}`,
    ...(flags === 0 ? [] : [`flags: 0x${flags.toString(16)}`]),
    ...(data.length === 0 ? [] : [`data: ${data.join(',')}`]),
  ].join(', ')
  const why = error.message.replace(/^.*: (?=[^:]*$)/, '').replace(/ \(E[A-Z0-9]+\)$/, '')
  const text = `error while mounting volume '${target}': failed to mount local volume: ${facts}: ${why}`
  return new EngineError('internal', text.replaceAll(/password=[^,:]*/g, 'password=********'), { cause: error })
}
