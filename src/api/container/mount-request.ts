import { isAbsolute, normalize } from 'node:path/posix'
import { invalid } from '#base'
import type { CreateRequest, MountRequest } from '#engine'
import { type HostConfigBody, type MountBody, parseObjectBody, parseStringMap } from '#wire'

/** What `-v`, `--mount` and `--tmpfs` ask for; throws `invalid` in Docker's words. */
export function mountRequests(hostConfig: HostConfigBody): readonly MountRequest[] {
  const driver = hostConfig.VolumeDriver || undefined
  const withDriver = (mount: MountRequest): MountRequest =>
    mount.kind === 'volume' && driver !== undefined ? { ...mount, driver } : mount
  const mounts = [
    ...(hostConfig.Binds ?? []).map(parseBind).map(withDriver),
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
  refuseForeignOptions(mount)
  const refuse: Refuse = (why) => {
    throw invalid(`invalid mount config for type "${mount.Type}": ${why}`)
  }
  if (!OWNERS.some(([, type]) => type === mount.Type)) refuse('mount type unknown')
  if (mount.Target === '') refuse('field Target must not be empty')
  const common = { target: checkTarget(mount.Target, refuse), readonly: mount.ReadOnly ?? false }
  const source = mount.Source ?? ''
  switch (mount.Type) {
    case 'bind':
      if (source === '') refuse('field Source must not be empty')
      return { ...common, kind: 'bind', ...bindOptions(mount.BindOptions, refuse), source: absolute(source, refuse) }
    case 'volume':
      return { ...common, kind: 'volume', ...(source !== '' && { source }), ...volumeOptions(mount, refuse) }
    case 'tmpfs':
      if (source !== '') refuse('field Source must not be specified')
      return { ...common, kind: 'tmpfs', ...tmpfsOptions(mount.TmpfsOptions, refuse) }
    case 'image':
      if (source === '') refuse('field Source must not be empty')
      return { ...common, kind: 'image', source, readonly: true, ...subpathOf(mount.ImageOptions, refuse) }
    default:
      return refuse('mount type unknown')
  }
}

type Refuse = (why: string) => never

function absolute(source: string, refuse: Refuse): string {
  return isAbsolute(source) ? normalize(source) : refuse(`invalid mount path: '${source}' mount path must be absolute`)
}

type Options = Readonly<Record<string, unknown>> | null | undefined

const OWNERS = [
  ['BindOptions', 'bind'],
  ['VolumeOptions', 'volume'],
  ['TmpfsOptions', 'tmpfs'],
  ['ImageOptions', 'image'],
] as const

function refuseForeignOptions(mount: MountBody): void {
  const foreign = OWNERS.find(([name, type]) => mount.Type !== type && mount[name])
  if (foreign) throw invalid(`${foreign[0]} must not be specified on mount type "${mount.Type}"`)
}

function bindOptions(given: Options, refuse: Refuse): Partial<MountRequest> {
  const known = ['Propagation', 'CreateMountpoint', 'NonRecursive', 'ReadOnlyNonRecursive', 'ReadOnlyForceRecursive']
  const { Propagation, CreateMountpoint, NonRecursive, ReadOnlyNonRecursive } = options(given, known)
  const propagation = typeof Propagation === 'string' && Propagation !== '' ? Propagation : undefined
  if (propagation !== undefined && !PROPAGATION.includes(propagation)) {
    refuse(`invalid propagation mode: ${propagation}`)
  }
  return {
    ...(CreateMountpoint === true && { createSource: true }),
    ...(NonRecursive === true && { nonRecursive: true }),
    ...(ReadOnlyNonRecursive === true && { readonlyTopOnly: true }),
    ...(propagation !== undefined && { propagation }),
  }
}

function volumeOptions({ Source, ReadOnly, VolumeOptions }: MountBody, refuse: Refuse): Partial<MountRequest> {
  const { NoCopy, Labels, DriverConfig } = options(VolumeOptions, ['NoCopy', 'Labels', 'DriverConfig', 'Subpath'])
  const subpath = subpathOf(VolumeOptions, refuse)
  if (!Source && subpath.subpath !== undefined) refuse('must not set Subpath when using anonymous volumes')
  if (!Source && ReadOnly === true) refuse('must not set ReadOnly mode when using anonymous volumes')
  const driver = parseObjectBody(DriverConfig, 'DriverConfig')
  const labels = parseStringMap(Labels, 'Labels')
  const driverOptions = parseStringMap(driver['Options'], 'DriverConfig.Options')
  return {
    ...(NoCopy === true && { noCopy: true }),
    ...subpath,
    ...(!isEmptyObject(labels) && { labels }),
    ...(typeof driver['Name'] === 'string' && driver['Name'] !== '' && { driver: driver['Name'] }),
    ...(!isEmptyObject(driverOptions) && { driverOptions }),
  }
}

/** Where it really leads is looked at when it is mounted. */
function subpathOf(given: Options, refuse: Refuse): { readonly subpath?: string } {
  const path = given?.['Subpath']
  if (typeof path !== 'string' || path === '') return {}
  const clean = normalize(path)
  if (isAbsolute(clean) || clean === '..' || clean.startsWith('../')) {
    refuse('subpath must be a relative path within the volume')
  }
  return { subpath: path }
}

const TMPFS_WORDS = ['exec', 'noexec']

function tmpfsOptions(given: Options, refuse: Refuse): { readonly options?: string } {
  const { SizeBytes, Mode, Options } = options(given, ['SizeBytes', 'Mode', 'Options'])
  const more = Array.isArray(Options) ? Options.map(String) : []
  const unknown = more.find((word) => !TMPFS_WORDS.includes(word))
  if (unknown !== undefined) refuse(`invalid option: ${unknown.split(',')[0] ?? ''}`)
  const words = [
    ...(typeof SizeBytes === 'number' && SizeBytes > 0 ? [`size=${SizeBytes}`] : []),
    ...(typeof Mode === 'number' && Mode > 0 ? [`mode=${Mode.toString(8)}`] : []),
    ...more,
  ]
  return words.length > 0 ? { options: words.join(',') } : {}
}

/** The members carried out; others that are set are refused. */
function options(given: Options, carriedOut: readonly string[]): Readonly<Record<string, unknown>> {
  for (const [name, value] of Object.entries(given ?? {})) {
    const asks = value !== null && value !== '' && value !== false && value !== 0 && !isEmptyObject(value)
    if (asks && !carriedOut.includes(name)) throw invalid(`--mount: not yet carried out by mica (${name})`)
  }
  return given ?? {}
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

/** `--volumes-from container[:mode]`; the containers themselves are looked up later. */
export function volumesFrom(texts: readonly string[]): NonNullable<CreateRequest['volumesFrom']> {
  return texts.map((text) => {
    if (text === '') throw invalid('volumes-from specification cannot be an empty string')
    const at = text.indexOf(':')
    const words = parseMode(at < 0 ? undefined : text.slice(at + 1))
    return { container: at < 0 ? text : text.slice(0, at), readonly: words.includes('ro') }
  })
}

function checkTarget(target: string, refuse: (why: string) => never): string {
  if (!isAbsolute(target)) refuse(`invalid mount path: '${target}' mount path must be absolute`)
  const clean = normalize(target).replace(/(.)\/$/, '$1')
  if (clean === '/') refuse("invalid specification: destination can't be '/'")
  return clean
}
