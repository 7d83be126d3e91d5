import { invalid } from '#base'
import { pairsOf, refuseTrust } from '#cli/kit'
import { devices } from './devices.ts'
import { healthcheck } from './health.ts'
import { limits } from './limits.ts'
import { environment, labels } from './lines.ts'
import type { Attachment, ContainerFlags } from './options.ts'
import { binds, ownVolumes, parseMount } from './mounts.ts'
import { checkNames, extraHosts, networking } from './networking.ts'
import { parseExpose, parsePublish } from './publish.ts'
import { security } from './security.ts'
import { checkSysctl, parseRestart } from './values.ts'

interface RequestOptions {
  readonly flags: ContainerFlags
  readonly given: ReadonlySet<string>
  readonly image: string
  readonly command: readonly string[]
  readonly attachment: Attachment
  readonly console?: Readonly<Record<string, unknown>> | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** The body of POST /containers/create. */
export function containerRequest(options: RequestOptions): Readonly<Record<string, unknown>> {
  const { flags, image, command, attachment } = options
  checkNames(flags)
  for (const sysctl of flags.sysctl) checkSysctl(sysctl)
  if (flags['use-api-socket']) throw invalid('--use-api-socket: not yet carried out by mica')
  refuseTrust(flags)
  const ofHost = hostConfig(options)
  const { mode, config } = networking(flags)
  const health = healthcheck(flags)
  return {
    Hostname: flags.hostname ?? '',
    Domainname: flags.domainname ?? '',
    User: flags.user ?? '',
    AttachStdin: attachment.stdin,
    AttachStdout: attachment.stdout,
    AttachStderr: attachment.stderr,
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && attachment.stdin,
    Env: someOf(environment(options)),
    Cmd: command.length > 0 ? command : null,
    Image: image,
    Volumes: keys(ownVolumes(flags.volume)),
    WorkingDir: flags.workdir ?? '',
    Entrypoint: flags.entrypoint === undefined ? null : [flags.entrypoint],
    Labels: labels(options),
    ExposedPorts: keys([...parseExpose(flags.expose), ...Object.keys(parsePublish(flags.publish))]),
    ...(flags['stop-signal'] !== undefined && { StopSignal: flags['stop-signal'] }),
    ...(flags['stop-timeout'] !== undefined && { StopTimeout: flags['stop-timeout'] }),
    ...(health && { Healthcheck: health }),
    ...(flags['mac-address'] !== undefined && { MacAddress: flags['mac-address'] }),
    HostConfig: { ...ofHost, NetworkMode: mode, ...options.console },
    NetworkingConfig: config,
  }
}

function hostConfig({ flags, given, cwd }: RequestOptions): Readonly<Record<string, unknown>> {
  return {
    ...devices(flags),
    ...limits(flags),
    ...security(flags, cwd),
    Binds: someOf(binds(flags.volume, cwd)),
    ...(flags.mount.length > 0 && { Mounts: flags.mount.map((mount) => parseMount(mount, cwd)) }),
    ...(flags['volume-driver'] !== undefined && { VolumeDriver: flags['volume-driver'] }),
    PortBindings: parsePublish(flags.publish),
    PublishAllPorts: flags['publish-all'],
    AutoRemove: flags.rm,
    ReadonlyRootfs: flags['read-only'],
    Dns: flags.dns,
    DnsOptions: [...flags['dns-option'], ...flags['dns-opt']],
    DnsSearch: flags['dns-search'],
    ExtraHosts: someOf(extraHosts(flags['add-host'])),
    Links: flags.link,
    VolumesFrom: someOf(flags['volumes-from']),
    Tmpfs: somePairs(flags.tmpfs, ':'),
    Sysctls: somePairs(flags.sysctl),
    Annotations: somePairs(flags.annotation),
    StorageOpt: storageOptions(flags['storage-opt']),
    RestartPolicy: restartPolicy(flags),
    LogConfig: logConfig(flags),
    ...(flags.runtime !== undefined && { Runtime: flags.runtime }),
    ...(given.has('init') && { Init: flags.init }),
  }
}

function restartPolicy({ restart, rm }: ContainerFlags): ReturnType<typeof parseRestart> {
  const policy = parseRestart(restart ?? 'no')
  if (rm && !['', 'no'].includes(policy.Name))
    throw invalid('conflicting options: cannot specify both --restart and --rm')
  return policy
}

function storageOptions(texts: readonly string[]): Readonly<Record<string, string>> | undefined {
  if (texts.some((text) => !text.includes('='))) throw invalid('invalid storage option')
  return somePairs(texts)
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

const keys = (names: readonly string[]): Readonly<Record<string, object>> =>
  Object.fromEntries(names.map((name) => [name, {}]))
