import { EngineError } from '#base'
import { badArgument, type Context, flag, type FlagValues, refuseTrust, trustFlag } from '#cli/kit'
import { extraHosts, parseBytes, parseSwap, parseUlimit } from '#cli/request'
import { parseReference } from '#oci'

/** The flags of docker's classic builder; what of them is not carried out yet, the daemon refuses by name. */
export const buildFlags = {
  'add-host': flag.list('Add a custom host-to-IP mapping ("host:ip")'),
  'build-arg': flag.list('Set build-time variables'),
  'cache-from': flag.list('Images to consider as cache sources', { value: 'strings' }),
  'cgroup-parent': flag.text('Set the parent cgroup for the "RUN" instructions during build'),
  compress: flag.switch('Compress the build context using gzip'),
  'cpu-period': flag.number('Limit the CPU CFS (Completely Fair Scheduler) period'),
  'cpu-quota': flag.number('Limit the CPU CFS (Completely Fair Scheduler) quota'),
  'cpu-shares': flag.number('CPU shares (relative weight)', { short: 'c' }),
  'cpuset-cpus': flag.text('CPUs in which to allow execution (0-3, 0,1)'),
  'cpuset-mems': flag.text('MEMs in which to allow execution (0-3, 0,1)'),
  ...trustFlag,
  file: flag.text('Name of the Dockerfile (Default is "PATH/Dockerfile")', { short: 'f' }),
  'force-rm': flag.switch('Always remove intermediate containers'),
  iidfile: flag.text('Write the image ID to the file'),
  isolation: flag.text('Container isolation technology'),
  label: flag.list('Set metadata for an image'),
  memory: flag.text('Memory limit', { short: 'm', value: 'bytes' }),
  'memory-swap': flag.text('Swap limit equal to memory plus swap: -1 to enable unlimited swap', { value: 'bytes' }),
  network: flag.text('Set the networking mode for the RUN instructions during build', { initial: '"default"' }),
  'no-cache': flag.switch('Do not use cache when building the image'),
  platform: flag.text('Set platform if server is multi-platform capable'),
  pull: flag.switch('Always attempt to pull a newer version of the image'),
  quiet: flag.switch('Suppress the build output and print image ID on success', { short: 'q' }),
  rm: flag.switch('Remove intermediate containers after a successful build', { on: true }),
  'security-opt': flag.list('Security options', { value: 'strings' }),
  'shm-size': flag.text('Size of "/dev/shm"', { value: 'bytes' }),
  tag: flag.list('Name and optionally a tag in the "name:tag" format', { short: 't' }),
  target: flag.text('Set the target build stage to build.'),
  ulimit: flag.list('Ulimit options', { value: 'ulimit' }),
}

type BuildFlags = FlagValues<typeof buildFlags>

/** The query of POST /build, but for the Dockerfile's name. Throws where a flag is wrong. */
export function buildQuery(
  flags: BuildFlags,
  { env }: Context,
): Readonly<Record<string, string | number | boolean | readonly string[] | undefined>> {
  for (const name of flags.tag) checkTag(name)
  refuseTrust(flags)
  return {
    ...limitsOf(flags),
    t: flags.tag,
    target: flags.target,
    buildargs: jsonOf(flags['build-arg'], (name) => env[name] ?? null),
    labels: jsonOf(flags.label, () => ''),
    extrahosts: extraHosts(flags['add-host']).join(','),
    cachefrom: flags['cache-from'].length === 0 ? '' : JSON.stringify(flags['cache-from']),
    securityopt: flags['security-opt'].length === 0 ? '' : JSON.stringify(flags['security-opt']),
    nocache: flags['no-cache'],
    pull: flags.pull,
    networkmode: flags.network,
    platform: flags.platform,
    isolation: flags.isolation,
    q: flags.quiet,
    rm: flags.rm ? '1' : '0',
    forcerm: flags['force-rm'],
  }
}

function limitsOf(flags: BuildFlags): Readonly<Record<string, string | number | undefined>> {
  const { memory, 'memory-swap': swap, 'shm-size': shm } = flags
  return {
    cgroupparent: flags['cgroup-parent'],
    cpuperiod: flags['cpu-period'],
    cpuquota: flags['cpu-quota'],
    cpushares: flags['cpu-shares'],
    cpusetcpus: flags['cpuset-cpus'],
    cpusetmems: flags['cpuset-mems'],
    memory: memory === undefined ? undefined : parseBytes('-m, --memory', memory),
    memswap: swap === undefined ? undefined : parseSwap('--memory-swap', swap),
    shmsize: shm === undefined ? undefined : parseBytes('--shm-size', shm),
    ulimits: flags.ulimit.length === 0 ? '' : JSON.stringify(flags.ulimit.map(parseUlimit)),
  }
}

function checkTag(name: string): void {
  try {
    parseReference(name)
  } catch (error) {
    throw error instanceof EngineError ? badArgument(name, '-t, --tag', error.message) : error
  }
}

/** `name=value` flags as JSON; '' where there are none. */
function jsonOf(flags: readonly string[], missing: (name: string) => string | null): string {
  if (flags.length === 0) return ''
  return JSON.stringify(
    Object.fromEntries(
      flags.map((text) => {
        const at = text.indexOf('=')
        return at < 0 ? [text, missing(text)] : [text.slice(0, at), text.slice(at + 1)]
      }),
    ),
  )
}
