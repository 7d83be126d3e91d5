import { invalid } from '#base'
import { badArgument } from '#cli/kit'
import { findDuration } from '#wire'

const UNITS = ['b', 'k', 'm', 'g', 't', 'p'] as const

/** «512m», «1.5g», «64KiB»: bytes in powers of 1024, as docker's flags read them, refused in their words. */
export function parseBytes(flag: string, text: string): number {
  const last = text.search(/[\d. ](?=[^\d. ]*$)/)
  if (last < 0) throw badArgument(text, flag, `invalid size: '${text}'`)
  const number = text.slice(0, text.charAt(last) === ' ' ? last : last + 1)
  const value = Number(number)
  if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(number))
    throw badArgument(text, flag, `strconv.ParseFloat: parsing "${number}": invalid syntax`)
  if (value < 0) throw badArgument(text, flag, `invalid size: '${text}'`)
  return Math.floor(value * 1024 ** powerOf(flag, text, text.slice(last + 1).toLowerCase()))
}

/** «», «b», «k», «kb» or «kib». */
function powerOf(flag: string, text: string, suffix: string): number {
  if (suffix === '' || suffix === 'b') return 0
  const power = UNITS.findIndex((known) => known === suffix.charAt(0))
  if (power > 0 && ['', 'b', 'ib'].includes(suffix.slice(1))) return power
  throw badArgument(text, flag, `invalid suffix: '${suffix}'`)
}

/** As `parseBytes`; -1 is no limit. */
export function parseSwap(flag: string, text: string): number {
  return text === '-1' ? -1 : parseBytes(flag, text)
}

/** «on-failure:3». */
export function parseRestart(text: string): { readonly Name: string; readonly MaximumRetryCount: number } {
  const at = text.indexOf(':')
  const [name, count] = at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
  if (at === 0) throw invalid('invalid restart policy format: no policy provided before colon')
  if (!/^([-+]?\d+)?$/.test(count))
    throw invalid('invalid restart policy format: maximum retry count must be an integer')
  return { Name: name, MaximumRetryCount: Number(count) }
}

const ULIMITS: ReadonlySet<string> = new Set([
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
])

/** «nofile=1024:2048»; -1 is no limit. */
export function parseUlimit(text: string): Readonly<Record<string, unknown>> {
  const refuse = (why: string): Error => badArgument(text, '--ulimit', why)
  const at = text.indexOf('=')
  if (at < 0) throw refuse(`invalid ulimit argument: ${text}`)
  const [name, values] = [text.slice(0, at), text.slice(at + 1)]
  if (!ULIMITS.has(name)) throw refuse(`invalid ulimit type: ${name}`)
  const [first = '', second = first, ...more] = values.split(':')
  if (more.length > 0)
    throw refuse(`too many limit value arguments - ${values}, can only have up to two, \`soft[:hard]\``)
  for (const value of [second, first])
    if (!/^[-+]?\d+$/.test(value)) throw refuse(`strconv.ParseInt: parsing "${value}": invalid syntax`)
  const [soft, hard] = [Number(first), Number(second)]
  const order = 'ulimit soft limit must be less than or equal to hard limit'
  if (hard !== -1 && soft === -1) throw refuse(`${order}: soft: -1 (unlimited), hard: ${hard}`)
  if (hard !== -1 && soft > hard) throw refuse(`${order}: ${soft} > ${hard}`)
  return { Name: name, Soft: soft, Hard: hard }
}

/** «1m30s» in nanoseconds, refused in Go's words. */
export function parseDuration(flag: string, text: string): number {
  const found = findDuration(text)
  if (found !== undefined) return Number(found)
  const [, unit] = /^[-+]?(?:[\d.]+[a-zµμ]+)*?[\d.]+([^\d.]*)$/.exec(text) ?? []
  const why = unit === undefined ? 'invalid' : unit === '' ? 'missing unit in' : `unknown unit "${unit}" in`
  throw badArgument(text, flag, `time: ${why} duration "${text}"`)
}

const SYSCTLS: ReadonlySet<string> = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
])

/** Those of a namespace, as docker's client knows them. */
export function checkSysctl(text: string): void {
  const [name = '', value] = text.split('=')
  if (value !== undefined && (SYSCTLS.has(name) || /^(net|fs\.mqueue)\./.test(name))) return
  throw badArgument(text, '--sysctl', `sysctl '${text}' is not allowed`)
}
