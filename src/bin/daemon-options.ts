import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { invalid, messageOf } from '#base'
import type { LogLevel } from '#base'
import type { LogConfig, NetworkSettings } from '#engine'

/** The daemon's flags, named as dockerd names them. */
export interface DaemonOptions {
  readonly dataRoot: string
  readonly execRoot: string
  readonly hosts: readonly string[]
  readonly pidfile: string
  readonly mirrors: readonly string[]
  readonly insecureRegistries: readonly string[]
  readonly network: NetworkSettings
  /** Where the output of containers goes that ask for nothing. */
  readonly containerLog?: LogConfig
  readonly logLevel: LogLevel
  /** `run`, or what to do with a daemon that runs, or only look at the machine. */
  readonly action: 'run' | 'stop' | 'doctor'
  readonly all: boolean
  readonly json: boolean
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** Throws `invalid` with one sentence for a flag that is not known or has no good value. */
export function parseDaemonOptions(args: readonly string[]): DaemonOptions {
  const { values, positionals } = parse(args)
  const execRoot = absolute('--exec-root', values['exec-root'] ?? '/run/mica')
  const level = values.debug ? 'debug' : (values['log-level'] ?? 'info')
  const logLevel = LEVELS.find((known) => known === level)
  if (logLevel === undefined)
    throw invalid(`cannot start the daemon: --log-level ${level} is none of ${LEVELS.join(', ')}`)
  return {
    dataRoot: absolute('--data-root', values['data-root'] ?? '/var/lib/mica'),
    execRoot,
    hosts: (values.host ?? [`unix://${execRoot}/mica.sock`]).map(checkHost),
    pidfile: absolute('--pidfile', values.pidfile ?? `${execRoot}/mica.pid`),
    mirrors: (values['registry-mirror'] ?? []).map(checkMirror),
    insecureRegistries: values['insecure-registry'] ?? [],
    network: networkOf(values),
    ...containerLogOf(values['log-driver'], values['log-opt'] ?? []),
    logLevel,
    action: actionOf(positionals),
    all: values.all ?? false,
    json: values.json ?? false,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        'data-root': { type: 'string' },
        'exec-root': { type: 'string' },
        host: { type: 'string', short: 'H', multiple: true },
        pidfile: { type: 'string', short: 'p' },
        'registry-mirror': { type: 'string', multiple: true },
        'insecure-registry': { type: 'string', multiple: true },
        bip: { type: 'string' },
        'fixed-cidr': { type: 'string' },
        'fixed-cidr-v6': { type: 'string' },
        ipv6: { type: 'boolean' },
        mtu: { type: 'string' },
        icc: { type: 'string' },
        ip: { type: 'string' },
        'publish-default': { type: 'string' },
        'default-address-pool': { type: 'string', multiple: true },
        'log-driver': { type: 'string' },
        'log-level': { type: 'string', short: 'l' },
        'log-opt': { type: 'string', multiple: true },
        debug: { type: 'boolean', short: 'D' },
        all: { type: 'boolean' },
        json: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw invalid(`cannot start the daemon: ${messageOf(error).split('\n')[0]?.split('. To ')[0] ?? ''}`, {
      cause: error,
    })
  }
}

type Values = ReturnType<typeof parse>['values']

function networkOf(values: Values): NetworkSettings {
  return {
    bip: values.bip,
    fixedCidr: values['fixed-cidr'],
    fixedCidr6: values['fixed-cidr-v6'],
    ipv6: values.ipv6,
    mtu: mtuOf(values.mtu),
    icc: flagOf('--icc', values.icc),
    addressPools: values['default-address-pool'],
    publishDefault: publishDefaultOf(values.ip, values['publish-default']),
  }
}

/** `--ip` as dockerd has it; `--publish-default` in words. */
function publishDefaultOf(ip: string | undefined, word: string | undefined): string | undefined {
  if (word === 'loopback') return '127.0.0.1'
  if (word !== undefined && word !== 'all' && isIP(word) === 0)
    throw invalid(`cannot start the daemon: --publish-default ${word} is none of loopback, all, or an address`)
  if (ip !== undefined && isIP(ip) === 0) throw invalid(`cannot start the daemon: --ip ${ip} is no address`)
  return word === 'all' ? undefined : (word ?? ip)
}

const MTU = { least: 68, most: 65_535 }

function mtuOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '0') return undefined
  const mtu = Number(text)
  if (/^\d+$/.test(text) && mtu >= MTU.least && mtu <= MTU.most) return mtu
  throw invalid(`cannot start the daemon: --mtu ${text} is none of ${MTU.least} to ${MTU.most}`)
}

/** A flag of Go: `--icc=false`. */
function flagOf(flag: string, text: string | undefined): boolean | undefined {
  if (text === undefined || text === 'true' || text === 'false') return text === undefined ? undefined : text === 'true'
  throw invalid(`cannot start the daemon: ${flag} ${text} is neither true nor false`)
}

function containerLogOf(driver: string | undefined, words: readonly string[]): Pick<DaemonOptions, 'containerLog'> {
  if (driver === undefined && words.length === 0) return {}
  const options = words.map((word) => {
    const at = word.indexOf('=')
    if (at < 0) throw invalid(`cannot start the daemon: --log-opt ${word} has no value`)
    return [word.slice(0, at), word.slice(at + 1)]
  })
  return { containerLog: { driver: driver ?? 'json-file', options: Object.fromEntries(options) } }
}

function actionOf(positionals: readonly string[]): DaemonOptions['action'] {
  const [word, ...more] = positionals
  if (more.length === 0 && (word === undefined || word === 'run' || word === 'stop' || word === 'doctor'))
    return word ?? 'run'
  throw invalid(`cannot start the daemon: unexpected argument ${positionals.join(' ')}`)
}

function absolute(flag: string, path: string): string {
  if (!path.startsWith('/') || path.includes('\0'))
    throw invalid(`cannot start the daemon: ${flag} ${path} is not an absolute path`)
  return path.length > 1 ? path.replace(/\/+$/, '') : path
}

/** Loopback only: the API is as good as root, and TLS comes later. */
function checkHost(host: string): string {
  if (/^unix:\/\/\/.+/.test(host)) return host
  if (/^tcp:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/.test(host)) return host
  if (host.startsWith('tcp://'))
    throw invalid(
      `cannot listen on ${host}: only loopback addresses are served without TLS; use tcp://127.0.0.1:PORT or a unix socket`,
    )
  throw invalid(`cannot listen on ${host}: give unix:///path.sock or tcp://127.0.0.1:PORT`)
}

function checkMirror(url: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url.replace(/\/+$/, '')
  throw invalid(`cannot use the registry mirror ${url}: it is not an http or https URL`)
}
