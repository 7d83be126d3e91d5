import { badArgument, flag, type FlagValues, trustFlag } from '#cli/kit'
import { deviceFlags } from './devices.ts'
import { healthFlags } from './health.ts'
import { limitFlags } from './limits.ts'
import { securityFlags } from './security.ts'

/** The flags of run and create; what of them is not carried out yet, the daemon refuses by name. */
export const containerFlags = {
  ...deviceFlags,
  ...healthFlags,
  ...limitFlags,
  ...securityFlags,
  ...trustFlag,
  'add-host': flag.list('Add a custom host-to-IP mapping (host:ip)'),
  annotation: flag.list('Add an annotation to the container (passed through to the OCI runtime)', { value: 'map' }),
  cidfile: flag.text('Write the container ID to the file'),
  dns: flag.list('Set custom DNS servers'),
  'dns-opt': flag.list('The same as --dns-option'),
  'dns-option': flag.list('Set DNS options'),
  'dns-search': flag.list('Set custom DNS search domains'),
  domainname: flag.text('Container NIS domain name'),
  entrypoint: flag.text('Overwrite the default ENTRYPOINT of the image'),
  env: flag.list('Set environment variables', { short: 'e' }),
  'env-file': flag.list('Read in a file of environment variables'),
  expose: flag.list('Expose a port or a range of ports'),
  hostname: flag.text('Container host name', { short: 'h' }),
  init: flag.switch('Run an init inside the container that forwards signals and reaps processes'),
  interactive: flag.switch('Keep STDIN open even if not attached', { short: 'i' }),
  ip: flag.text('IPv4 address (e.g., 172.30.100.104)'),
  ip6: flag.text('IPv6 address (e.g., 2001:db8::33)'),
  label: flag.list('Set meta data on a container', { short: 'l' }),
  'label-file': flag.list('Read in a line delimited file of labels'),
  link: flag.list('Add link to another container (its variables and its name)'),
  'link-local-ip': flag.list('Container IPv4/IPv6 link-local addresses'),
  'log-driver': flag.text('Logging driver for the container'),
  'log-opt': flag.list('Log driver options'),
  'mac-address': flag.text('Container MAC address (e.g., 92:d0:c6:0a:29:33)'),
  mount: flag.list('Attach a filesystem mount to the container', { value: 'mount' }),
  name: flag.text('Assign a name to the container'),
  network: flag.list('Connect a container to a network', { value: 'network' }),
  net: flag.list('The same as --network', { value: 'network' }),
  'network-alias': flag.list('Add network-scoped alias for the container'),
  platform: flag.text('Set platform if server is multi-platform capable'),
  publish: flag.list("Publish a container's port(s) to the host", { short: 'p' }),
  'publish-all': flag.switch('Publish all exposed ports to random ports', { short: 'P' }),
  pull: flag.text('Pull image before running ("always", "missing", "never")', { initial: '"missing"' }),
  quiet: flag.switch('Suppress the pull output', { short: 'q' }),
  'read-only': flag.switch("Mount the container's root filesystem as read only"),
  restart: flag.text('Restart policy to apply when a container exits', { initial: '"no"' }),
  rm: flag.switch('Automatically remove the container and its associated anonymous volumes when it exits'),
  runtime: flag.text('Runtime to use for this container'),
  'stop-signal': flag.text('Signal to stop the container'),
  'stop-timeout': flag.number('Timeout (in seconds) to stop a container'),
  'storage-opt': flag.list('Storage driver options for the container'),
  sysctl: flag.list('Sysctl options', { value: 'map' }),
  tmpfs: flag.list('Mount a tmpfs directory'),
  tty: flag.switch('Allocate a pseudo-TTY', { short: 't' }),
  'use-api-socket': flag.switch('Bind mount Docker API socket and required auth'),
  user: flag.text('Username or UID (format: <name|uid>[:<group|gid>])', { short: 'u' }),
  volume: flag.list('Bind mount a volume', { short: 'v' }),
  'volume-driver': flag.text('Optional volume driver for the container'),
  'volumes-from': flag.list('Mount volumes from the specified container(s)'),
  workdir: flag.text('Working directory inside the container', { short: 'w' }),
}

export type ContainerFlags = FlagValues<typeof containerFlags>

/** Of run and create both. */
export const attachFlag = { attach: flag.list('Attach to STDIN, STDOUT or STDERR', { short: 'a' }) }

/** What `-i`, `-t`, `-d` and `-a` say of the streams. */
export interface Attachment {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
}

/** `-a` names the streams; without it they are stdout and stderr, and stdin with -i. */
export function streamsOf({
  attach,
  interactive,
}: {
  readonly attach: readonly string[]
  readonly interactive: boolean
}): Attachment {
  if (attach.length === 0) return { stdin: interactive, stdout: true, stderr: true }
  const named = attach.map((name) => name.toLowerCase())
  const bad = named.find((name) => !['stdin', 'stdout', 'stderr'].includes(name))
  if (bad !== undefined) throw badArgument(bad, '-a, --attach', 'valid streams are STDIN, STDOUT and STDERR')
  return { stdin: named.includes('stdin'), stdout: named.includes('stdout'), stderr: named.includes('stderr') }
}
