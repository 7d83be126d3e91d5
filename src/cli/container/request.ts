import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { invalid } from '#base'
import { badArgument, type FlagValues, openError, pairsOf } from '#cli/kit'
import type { Attachment, containerFlags } from './options.ts'
import { binds, ownVolumes, parseMount } from './mounts.ts'
import { checkNames, extraHosts, networking } from './networking.ts'
import { parseExpose, parsePublish } from './publish.ts'
import { parseBytes, parseRestart, parseUlimit } from './values.ts'

export type ContainerFlags = FlagValues<typeof containerFlags>

interface RequestOptions {
  readonly flags: ContainerFlags
  readonly given: ReadonlySet<string>
  readonly image: string
  readonly command: readonly string[]
  readonly attachment: Attachment
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** The body of POST /containers/create. */
export function containerRequest(options: RequestOptions): Readonly<Record<string, unknown>> {
  const { flags, image, command, attachment } = options
  checkNames(flags)
  if (flags.rm && !['', 'no'].includes(flags.restart ?? ''))
    throw invalid('conflicting options: cannot specify both --restart and --rm')
  const { mode, config } = networking(flags)
  return {
    Hostname: flags.hostname ?? '',
    Domainname: flags.domainname ?? '',
    User: flags.user ?? '',
    AttachStdin: attachment.stdin,
    AttachStdout: attachment.stdout,
    AttachStderr: attachment.stderr,
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: attachment.stdin,
    Env: environment(options),
    Cmd: command.length > 0 ? command : null,
    Image: image,
    Volumes: keys(ownVolumes(flags.volume)),
    WorkingDir: flags.workdir ?? '',
    Entrypoint: flags.entrypoint === undefined ? null : [flags.entrypoint],
    Labels: labels(options),
    ExposedPorts: keys([...parseExpose(flags.expose), ...Object.keys(parsePublish(flags.publish))]),
    ...(flags['stop-signal'] !== undefined && { StopSignal: flags['stop-signal'] }),
    ...(flags['stop-timeout'] !== undefined && { StopTimeout: flags['stop-timeout'] }),
    ...(flags['no-healthcheck'] && { Healthcheck: { Test: ['NONE'] } }),
    ...(flags['mac-address'] !== undefined && { MacAddress: flags['mac-address'] }),
    HostConfig: { ...hostConfig(options), NetworkMode: mode },
    NetworkingConfig: config,
  }
}

function hostConfig({ flags, given, cwd }: RequestOptions): Readonly<Record<string, unknown>> {
  return {
    Binds: someOf(binds(flags.volume, cwd)),
    ...(flags.mount.length > 0 && { Mounts: flags.mount.map((mount) => parseMount(mount, cwd)) }),
    ...(flags['volume-driver'] !== undefined && { VolumeDriver: flags['volume-driver'] }),
    PortBindings: parsePublish(flags.publish),
    PublishAllPorts: flags['publish-all'],
    AutoRemove: flags.rm,
    Privileged: flags.privileged,
    ReadonlyRootfs: flags['read-only'],
    CapAdd: someOf(flags['cap-add']),
    CapDrop: someOf(flags['cap-drop']),
    Dns: flags.dns,
    DnsOptions: [...flags['dns-option'], ...flags['dns-opt']],
    DnsSearch: flags['dns-search'],
    ExtraHosts: someOf(extraHosts(flags)),
    Links: flags.link,
    GroupAdd: someOf(flags['group-add']),
    VolumesFrom: someOf(flags['volumes-from']),
    SecurityOpt: someOf(flags['security-opt']),
    IpcMode: flags.ipc ?? '',
    PidMode: flags.pid ?? '',
    UTSMode: flags.uts ?? '',
    Tmpfs: somePairs(flags.tmpfs, ':'),
    Sysctls: somePairs(flags.sysctl),
    RestartPolicy: parseRestart(flags.restart),
    LogConfig: logConfig(flags),
    ...(given.has('init') && { Init: flags.init }),
    ...(flags.memory !== undefined && { Memory: parseBytes('-m, --memory', flags.memory) }),
    ...(flags['shm-size'] !== undefined && { ShmSize: parseBytes('--shm-size', flags['shm-size']) }),
    ...(flags.cpus !== undefined && { NanoCpus: cpus(flags.cpus) }),
    ...(flags['pids-limit'] !== undefined && { PidsLimit: flags['pids-limit'] }),
    Ulimits: flags.ulimit.map(parseUlimit),
    Devices: flags.device.map(device),
  }
}

/** A list of none is left out, as inspect shows it. */
const someOf = <T>(list: readonly T[]): readonly T[] | null => (list.length > 0 ? list : null)

const somePairs = (list: readonly string[], separator?: string) =>
  list.length > 0 ? pairsOf(list, separator) : undefined

function logConfig(flags: ContainerFlags): Readonly<Record<string, unknown>> {
  const driver = flags['log-driver'] ?? ''
  if (driver === 'none' && flags['log-opt'].length > 0) throw invalid('invalid logging opts for driver none')
  return { Type: driver, Config: pairsOf(flags['log-opt']) }
}

interface EnvironmentOptions {
  readonly flags: Pick<ContainerFlags, 'env' | 'env-file'>
  readonly env: RequestOptions['env']
  readonly cwd: string
}

/** Files first, then -e; a name alone takes the value that it has here, and is left out of a file where it has none. */
export function environment({ flags, env, cwd }: EnvironmentOptions): readonly string[] {
  const fromFiles = flags['env-file']
    .flatMap((file) => readLines(file, cwd))
    .flatMap((line) => withValue(line, env) ?? [])
  const fromFlags = flags.env.map((line) => {
    if (line === '' || line.startsWith('='))
      throw badArgument(line, '-e, --env', `invalid environment variable: ${line}`)
    return withValue(line, env) ?? line
  })
  return [...fromFiles, ...fromFlags]
}

function withValue(line: string, env: RequestOptions['env']): string | undefined {
  if (line.includes('=')) return line
  const value = env[line]
  return value === undefined ? undefined : `${line}=${value}`
}

function labels({ flags, cwd }: RequestOptions): Readonly<Record<string, string>> {
  const bad = flags.label.find((label) => label === '' || label.startsWith('='))
  if (bad !== undefined) throw badArgument(bad, '-l, --label', `invalid label '${bad}': empty name`)
  return pairsOf([...flags['label-file'].flatMap((file) => readLines(file, cwd)), ...flags.label])
}

/** Lines of an --env-file or --label-file without blank ones and comments. */
function readLines(file: string, cwd: string): readonly string[] {
  const lines = read(resolve(cwd, file), file).split(/\r?\n/)
  const wanted = lines.map((line) => line.trimStart()).filter((line) => line !== '' && !line.startsWith('#'))
  const bad = wanted.find((line) => /\s/.test(line.split('=')[0] ?? ''))
  if (bad !== undefined)
    throw invalid(`invalid env file (${file}): variable '${bad.split('=')[0] ?? ''}' contains whitespaces`)
  const nameless = wanted.find((line) => line.startsWith('='))
  if (nameless !== undefined) throw invalid(`invalid env file (${file}): no variable name on line '${nameless}'`)
  return wanted
}

function read(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    throw openError(error, name)
  }
}

const keys = (names: readonly string[]): Readonly<Record<string, object>> =>
  Object.fromEntries(names.map((name) => [name, {}]))

function cpus(text: string): number {
  const value = Number(text)
  if (!/^\d*\.?\d+$/.test(text)) throw badArgument(text, '--cpus', `failed to parse ${text} as a rational number`)
  return Math.round(value * 1e9)
}

function device(text: string): Readonly<Record<string, string>> {
  const [host = '', inside = host, permissions = 'rwm'] = text.split(':')
  return { PathOnHost: host, PathInContainer: inside, CgroupPermissions: permissions }
}
