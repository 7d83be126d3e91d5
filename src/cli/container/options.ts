import { flag } from '#cli/kit'

/** The flags of run and create; what of them is not carried out yet, the daemon refuses by name. */
export const containerFlags = {
  'add-host': flag.list('Add a custom host-to-IP mapping (host:ip)'),
  'cap-add': flag.list('Add Linux capabilities'),
  'cap-drop': flag.list('Drop Linux capabilities'),
  cidfile: flag.text('Write the container ID to the file'),
  cpus: flag.text('Number of CPUs', { value: 'decimal' }),
  device: flag.list('Add a host device to the container'),
  dns: flag.list('Set custom DNS servers'),
  domainname: flag.text('Container NIS domain name'),
  entrypoint: flag.text('Overwrite the default ENTRYPOINT of the image'),
  env: flag.list('Set environment variables', { short: 'e' }),
  'env-file': flag.list('Read in a file of environment variables'),
  expose: flag.list('Expose a port or a range of ports'),
  'group-add': flag.list('Add additional groups to join'),
  hostname: flag.text('Container host name', { short: 'h' }),
  init: flag.switch('Run an init inside the container that forwards signals and reaps processes'),
  interactive: flag.switch('Keep STDIN open even if not attached', { short: 'i' }),
  ipc: flag.text('IPC mode to use'),
  label: flag.list('Set meta data on a container', { short: 'l' }),
  'label-file': flag.list('Read in a line delimited file of labels'),
  'log-driver': flag.text('Logging driver for the container'),
  'log-opt': flag.list('Log driver options'),
  memory: flag.text('Memory limit', { short: 'm', value: 'bytes' }),
  name: flag.text('Assign a name to the container'),
  network: flag.text('Connect a container to a network', { value: 'network' }),
  net: flag.text('The same as --network', { value: 'network' }),
  'network-alias': flag.list('Add network-scoped alias for the container'),
  'no-healthcheck': flag.switch('Disable any container-specified HEALTHCHECK'),
  pid: flag.text('PID namespace to use'),
  'pids-limit': flag.number('Tune container pids limit (set -1 for unlimited)'),
  platform: flag.text('Set platform if server is multi-platform capable'),
  privileged: flag.switch('Give extended privileges to this container'),
  publish: flag.list("Publish a container's port(s) to the host", { short: 'p' }),
  'publish-all': flag.switch('Publish all exposed ports to random ports', { short: 'P' }),
  pull: flag.text('Pull image before running ("always", "missing", "never")'),
  quiet: flag.switch('Suppress the pull output', { short: 'q' }),
  'read-only': flag.switch("Mount the container's root filesystem as read only"),
  restart: flag.text('Restart policy to apply when a container exits (default "no")'),
  rm: flag.switch('Automatically remove the container and its associated anonymous volumes when it exits'),
  'security-opt': flag.list('Security Options'),
  'shm-size': flag.text('Size of /dev/shm', { value: 'bytes' }),
  'stop-signal': flag.text('Signal to stop the container'),
  'stop-timeout': flag.number('Timeout (in seconds) to stop a container'),
  sysctl: flag.list('Sysctl options', { value: 'map' }),
  tmpfs: flag.list('Mount a tmpfs directory'),
  tty: flag.switch('Allocate a pseudo-TTY', { short: 't' }),
  ulimit: flag.list('Ulimit options', { value: 'ulimit' }),
  user: flag.text('Username or UID (format: <name|uid>[:<group|gid>])', { short: 'u' }),
  uts: flag.text('UTS namespace to use'),
  volume: flag.list('Bind mount a volume', { short: 'v' }),
  'volumes-from': flag.list('Mount volumes from the specified container(s)'),
  workdir: flag.text('Working directory inside the container', { short: 'w' }),
}

/** What `-i`, `-t`, `-d` and `-a` say of the streams. */
export interface Attachment {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
}
