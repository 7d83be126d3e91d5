import { isAbsolute, normalize } from 'node:path/posix'
import { invalid } from '#base'
import type { MountRequest } from '#engine'
import type { HostConfigBody, MountBody } from '#wire'

/** What `-v`, `--mount` and `--tmpfs` ask for; throws `invalid` in Docker's words. */
export function mountRequests(hostConfig: HostConfigBody): readonly MountRequest[] {
  const mounts = [
    ...(hostConfig.Binds ?? []).map(parseBind),
    ...(hostConfig.Mounts ?? []).map(parseMount),
    ...Object.entries(hostConfig.Tmpfs ?? {}).map(([target, options]) => parseTmpfs(target, options)),
  ]
  const seen = new Set<string>()
  for (const { target } of mounts) {
    if (seen.has(target)) throw invalid(`Duplicate mount point: ${target}`)
    seen.add(target)
  }
  return mounts
}

const ACCESS = ['ro', 'rw']
const RELABEL = ['z', 'Z']
const PROPAGATION = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']
/** Hints of other platforms that ask for nothing here. */
const CONSISTENCY = ['consistent', 'cached', 'delegated', 'default']
const GROUPS = [ACCESS, RELABEL, PROPAGATION, CONSISTENCY, ['nocopy']]

/** `source:target[:mode]`, or a target alone for an anonymous volume. */
function parseBind(text: string): MountRequest {
  const parts = text.split(':')
  if (parts.length > 3 || parts.some((part) => part === '')) throw invalid(`invalid volume specification: '${text}'`)
  const [source, target = '', mode] = parts.length === 1 ? [undefined, ...parts] : parts
  const words = parseMode(mode)
  const isHostPath = source !== undefined && isAbsolute(source)
  const refuse = (why: string): never => {
    const kind = isHostPath ? 'bind' : 'volume'
    throw invalid(`invalid volume specification: '${text}': invalid mount config for type "${kind}": ${why}`)
  }
  const place = { target: checkTarget(target, refuse), readonly: words.includes('ro') }
  return isHostPath ? hostPath(normalize(source), place, { words, refuse }) : volume(source, place, { words, refuse })
}

type Place = Pick<MountRequest, 'target' | 'readonly'>

interface Mode {
  readonly words: readonly string[]
  readonly refuse: (why: string) => never
}

function hostPath(source: string, place: Place, { words, refuse }: Mode): MountRequest {
  if (words.includes('nocopy')) refuse('field VolumeOptions must not be specified')
  const propagation = words.find((word) => PROPAGATION.includes(word))
  return { kind: 'bind', source, ...place, createSource: true, ...(propagation !== undefined && { propagation }) }
}

function volume(source: string | undefined, place: Place, { words, refuse }: Mode): MountRequest {
  if (words.some((word) => PROPAGATION.includes(word))) refuse('field BindOptions must not be specified')
  const noCopy = words.includes('nocopy')
  return { kind: 'volume', ...(source !== undefined && { source }), ...place, ...(noCopy && { noCopy }) }
}

/** At most one word of each group. */
function parseMode(mode: string | undefined): readonly string[] {
  if (mode === undefined) return []
  const words = mode.split(',')
  const groups = words.map((word) => GROUPS.find((group) => group.includes(word)))
  if (groups.includes(undefined) || new Set(groups).size < groups.length) throw invalid(`invalid mode: ${mode}`)
  return words
}

const TMPFS_OPTION =
  /^((size|mode|uid|gid|nr_inodes|nr_blocks|mpol)=.*|r?(private|shared|slave|unbindable)|r?bind|(no)?(atime|diratime|relatime|strictatime|exec|suid|dev)|ro|rw|a?sync|dirsync|defaults|(no)?mand|remount|(no)?iversion)$/

function parseTmpfs(target: string, options: string): MountRequest {
  if (!isAbsolute(target)) throw invalid(`invalid mount path: '${target}' mount path must be absolute`)
  const unknown = options.split(',').find((option) => option !== '' && !TMPFS_OPTION.test(option))
  if (unknown !== undefined) throw invalid(`invalid tmpfs option "${unknown}"`)
  return { kind: 'tmpfs', target: normalize(target), readonly: false, ...(options !== '' && { options }) }
}

function parseMount(mount: MountBody): MountRequest {
  const refuse = (why: string): never => {
    throw invalid(`invalid mount config for type "${mount.Type}": ${why}`)
  }
  if (mount.Target === '') refuse('field Target must not be empty')
  const target = checkTarget(mount.Target, refuse)
  const common = { target, readonly: mount.ReadOnly ?? false }
  const source = mount.Source ?? ''
  switch (mount.Type) {
    case 'bind':
      if (source === '') refuse('field Source must not be empty')
      if (!isAbsolute(source)) refuse(`invalid mount path: '${source}' mount path must be absolute`)
      return { ...common, kind: 'bind', source: normalize(source), ...bindOptions(mount.BindOptions) }
    case 'volume': {
      const { NoCopy } = options(mount.VolumeOptions, ['NoCopy'])
      return { ...common, kind: 'volume', ...(source !== '' && { source }), ...(NoCopy === true && { noCopy: true }) }
    }
    case 'tmpfs': {
      if (source !== '') refuse('field Source must not be specified')
      return { ...common, kind: 'tmpfs', ...tmpfsOptions(mount.TmpfsOptions) }
    }
    default:
      return refuse('mount type unknown')
  }
}

function bindOptions(given: MountBody['BindOptions']): Pick<MountRequest, 'createSource' | 'propagation'> {
  const { Propagation, CreateMountpoint } = options(given, ['Propagation', 'CreateMountpoint'])
  return {
    ...(CreateMountpoint === true && { createSource: true }),
    ...(typeof Propagation === 'string' && Propagation !== '' && { propagation: Propagation }),
  }
}

function tmpfsOptions(given: MountBody['TmpfsOptions']): { readonly options?: string } {
  const { SizeBytes, Mode } = options(given, ['SizeBytes', 'Mode'])
  const words = [
    ...(typeof SizeBytes === 'number' && SizeBytes > 0 ? [`size=${SizeBytes}`] : []),
    ...(typeof Mode === 'number' && Mode > 0 ? [`mode=${Mode.toString(8)}`] : []),
  ]
  return words.length > 0 ? { options: words.join(',') } : {}
}

/** The members carried out; others that are set are refused. */
function options(given: Readonly<Record<string, unknown>> | null | undefined, carriedOut: readonly string[]) {
  for (const [name, value] of Object.entries(given ?? {})) {
    const asks = value !== null && value !== '' && value !== false && value !== 0 && !isEmptyObject(value)
    if (asks && !carriedOut.includes(name)) throw invalid(`--mount: not yet carried out by mica (${name})`)
  }
  return given ?? {}
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function checkTarget(target: string, refuse: (why: string) => never): string {
  if (!isAbsolute(target)) refuse(`invalid mount path: '${target}' mount path must be absolute`)
  const clean = normalize(target).replace(/(.)\/$/, '$1')
  if (clean === '/') refuse("invalid specification: destination can't be '/'")
  return clean
}
