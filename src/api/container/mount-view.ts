import type { ContainerRecord, MountPoint } from '#engine'
import { type MountPointJson, parseHostConfigBody } from '#wire'

/** A container's mounts as inspect shows them; those of `--tmpfs` are seen in HostConfig alone, as in Docker. */
export function mountsJson(record: ContainerRecord): readonly MountPointJson[] {
  if (record.mounts.length === 0) return []
  const { Binds, Mounts, Tmpfs } = parseHostConfigBody(record.request.asGiven.hostConfig)
  const tmpfs = new Set(Object.keys(Tmpfs ?? {}).map(trim))
  const modes = new Map((Binds ?? []).map((bind) => bindMode(bind)))
  const named = new Set((Mounts ?? []).filter((mount) => mount.Source).map((mount) => trim(mount.Target)))
  const isHidden = (mount: MountPoint): boolean => mount.kind === 'tmpfs' && tmpfs.has(mount.destination)
  return record.mounts
    .filter((mount) => !isHidden(mount))
    .map((mount) => {
      const given = modes.get(mount.destination)
      const plain =
        mount.kind === 'volume' && !mount.inherited && (given !== undefined || named.has(mount.destination)) ? 'z' : ''
      return mountJson(mount, mount.inherited ? '' : given || plain)
    })
}

/** Target and mode of `-v source:target[:mode]`. */
function bindMode(text: string): readonly [string, string] {
  const [, target = '', mode = ''] = text.split(':')
  return [trim(target), mode]
}

function trim(path: string): string {
  return path.replace(/(.)\/+$/, '$1')
}

function mountJson(mount: MountPoint, mode: string): MountPointJson {
  return {
    Type: mount.kind,
    ...(mount.name !== undefined && { Name: mount.name }),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.kind === 'volume' && { Driver: 'local' }),
    Mode: mode,
    RW: !mount.readonly,
    Propagation: propagationOf(mount),
  }
}

function propagationOf({ kind, propagation }: MountPoint): string {
  if (kind === 'image') return 'rprivate'
  return kind === 'bind' ? propagation || 'rprivate' : ''
}
