import { resolve } from 'node:path'
import { invalid } from '#base'
import { badArgument, splitFields } from '#cli/kit'
import { parseBytes } from './values.ts'

/** A mount as the API takes it. */
type MountBody = Readonly<Record<string, unknown>> & { readonly Type: string }

/** Flags of `-v` that name something to be mounted; those that only name a place are volumes of the container's own. */
export function binds(volumes: readonly string[], cwd: string): readonly string[] {
  return [...new Set(volumes.filter((volume) => hasSource(volume)))].map((volume) => absoluteSource(volume, cwd))
}

/** The places of `-v /place`. */
export function ownVolumes(volumes: readonly string[]): readonly string[] {
  return volumes.filter((volume) => !hasSource(volume))
}

function hasSource(volume: string): boolean {
  if (volume === '') throw invalid('invalid empty volume spec')
  const parts = volume.split(':')
  if (parts.length > 1 && parts.includes('')) throw invalid(`invalid spec: ${volume}: empty section between colons`)
  return parts.length > 1
}

/** `./x:/y` is a place on this side: the daemon has no idea of this folder. */
function absoluteSource(volume: string, cwd: string): string {
  if (!volume.startsWith('.')) return volume
  const at = volume.indexOf(':')
  return resolve(cwd, volume.slice(0, at)) + volume.slice(at)
}

/** `--mount type=…,source=…,target=…` as the API takes it. Errors in Docker's words. */
export function parseMount(text: string, cwd: string): MountBody {
  const refuse = (why: string): Error => badArgument(text, '--mount', why)
  const fields = splitFields(text)
  if (text === '' || !fields) throw refuse(text === '' ? 'EOF' : 'parse error: bare or extraneous quote')
  const given = new Map<string, string[]>()
  for (const field of fields) {
    const [key, value] = readField(field, refuse)
    given.set(key, [...(given.get(key) ?? []), value])
  }
  const read = reader(given, refuse)
  const mount = { ...common(read, cwd), ...optionsOf(read) }
  checkMount(mount, refuse)
  return mount
}

const SWITCHES = ['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive']
const KEYS = [
  ...SWITCHES,
  'type',
  'source',
  'src',
  'target',
  'dst',
  'destination',
  'consistency',
  'bind-propagation',
  'bind-recursive',
  'volume-subpath',
  'volume-label',
  'volume-driver',
  'volume-opt',
  'image-subpath',
  'tmpfs-size',
  'tmpfs-mode',
]

type Refuse = (why: string) => Error

function readField(field: string, refuse: Refuse): readonly [string, string] {
  const at = field.indexOf('=')
  const key = (at < 0 ? field : field.slice(0, at)).toLowerCase()
  if (at < 0 && SWITCHES.includes(key)) return [key, 'true']
  if (at < 0) throw refuse(`invalid field '${field}' must be a key=value pair`)
  if (!KEYS.includes(key)) throw refuse(`unexpected key '${key}' in '${field}'`)
  return [key, field.slice(at + 1)]
}

interface Reader {
  /** The last value of the first of these keys that was given. */
  text(...keys: readonly string[]): string | undefined
  flag(...keys: readonly string[]): boolean | undefined
  all(key: string): readonly string[]
  readonly refuse: Refuse
}

function reader(given: ReadonlyMap<string, readonly string[]>, refuse: Refuse): Reader {
  const text = (...keys: readonly string[]): string | undefined =>
    keys.map((key) => given.get(key)?.at(-1)).find((value) => value !== undefined)
  return {
    text,
    refuse,
    all: (key) => given.get(key) ?? [],
    flag(...keys) {
      const value = text(...keys)
      if (value === undefined) return undefined
      if (/^(1|t|true)$/i.test(value)) return true
      if (/^(0|f|false)$/i.test(value)) return false
      throw refuse(`invalid value for ${keys.find((key) => given.has(key)) ?? ''}: ${value}`)
    },
  }
}

function common(read: Reader, cwd: string): MountBody {
  const source = read.text('source', 'src')
  const isHere = source === '.' || source?.startsWith('./') === true || source?.startsWith('../') === true
  const isReadonly = read.flag('readonly', 'ro')
  const consistency = read.text('consistency')
  return {
    Type: (read.text('type') ?? 'volume').toLowerCase(),
    ...(source !== undefined && { Source: isHere ? resolve(cwd, source) : source }),
    ...given('Target', read.text('target', 'dst', 'destination')),
    ...(isReadonly === true && { ReadOnly: true }),
    ...given('Consistency', consistency?.toLowerCase()),
  }
}

function given(name: string, value: unknown): Readonly<Record<string, unknown>> {
  return value === undefined ? {} : { [name]: value }
}

function optionsOf(read: Reader): Readonly<Record<string, unknown>> {
  return {
    ...section('BindOptions', bindOptions(read)),
    ...section('VolumeOptions', volumeOptions(read)),
    ...section('ImageOptions', given('Subpath', read.text('image-subpath'))),
    ...section('TmpfsOptions', tmpfsOptions(read)),
  }
}

function section(name: string, members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.keys(members).length === 0 ? {} : { [name]: members }
}

const RECURSIVE: Readonly<Record<string, Readonly<Record<string, boolean>>>> = {
  enabled: {},
  disabled: { NonRecursive: true },
  writable: { ReadOnlyNonRecursive: true },
  readonly: { ReadOnlyForceRecursive: true },
}

function bindOptions(read: Reader): Readonly<Record<string, unknown>> {
  const recursive = read.text('bind-recursive')
  if (recursive !== undefined && !Object.hasOwn(RECURSIVE, recursive)) {
    const known = 'must be "enabled", "disabled", "writable", or "readonly"'
    throw read.refuse(`invalid value for bind-recursive: ${recursive} (${known})`)
  }
  return {
    ...given('Propagation', read.text('bind-propagation')?.toLowerCase()),
    ...given('NonRecursive', read.flag('bind-nonrecursive')),
    ...RECURSIVE[recursive ?? 'enabled'],
  }
}

function volumeOptions(read: Reader): Readonly<Record<string, unknown>> {
  const labels = read.all('volume-label')
  const driver = read.text('volume-driver')
  const options = read.all('volume-opt')
  const config = { ...given('Name', driver), ...(options.length > 0 && { Options: pairs(options) }) }
  return {
    ...given('Subpath', read.text('volume-subpath')),
    ...given('NoCopy', read.flag('volume-nocopy')),
    ...(labels.length > 0 && { Labels: pairs(labels) }),
    ...section('DriverConfig', config),
  }
}

function pairs(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(texts.map((text) => [text.split('=')[0] ?? '', text.split('=').slice(1).join('=')]))
}

function tmpfsOptions(read: Reader): Readonly<Record<string, unknown>> {
  const size = read.text('tmpfs-size')
  const mode = read.text('tmpfs-mode')
  if (mode !== undefined && !/^[0-7]{1,11}$/.test(mode)) throw read.refuse(`invalid value for tmpfs-mode: ${mode}`)
  return {
    ...(size !== undefined && { SizeBytes: bytesOf(size, read.refuse) }),
    ...(mode !== undefined && { Mode: Number.parseInt(mode, 8) }),
  }
}

function bytesOf(text: string, refuse: Refuse): number {
  if (!/^\d+(\.\d+)? ?[kmgtp]?(i?b)?$/i.test(text)) throw refuse(`invalid value for tmpfs-size: ${text}`)
  return parseBytes('--mount', text)
}

const OWNERS = [
  ['VolumeOptions', 'volume'],
  ['BindOptions', 'bind'],
  ['TmpfsOptions', 'tmpfs'],
  ['ImageOptions', 'image'],
] as const

function checkMount(mount: MountBody, refuse: Refuse): void {
  if ((mount['Target'] ?? '') === '') throw refuse('target is required')
  const foreign = OWNERS.find(([name, type]) => mount[name] !== undefined && mount.Type !== type)
  if (foreign) throw refuse(`cannot mix '${foreign[1]}-*' options with mount type '${mount.Type}'`)
  const bind = Object.entries(mount['BindOptions'] ?? {})
  const has = (name: string, value: unknown = true): boolean => bind.some(([key, one]) => key === name && one === value)
  const needs = (recursive: string, what: string): Error =>
    refuse(`option 'bind-recursive=${recursive}' requires '${what}' to be specified in conjunction`)
  if (has('ReadOnlyNonRecursive') && mount['ReadOnly'] !== true) throw needs('writable', 'readonly')
  if (!has('ReadOnlyForceRecursive')) return
  if (mount['ReadOnly'] !== true) throw needs('readonly', 'readonly')
  if (!has('Propagation', 'rprivate')) throw needs('readonly', 'bind-propagation=rprivate')
}
