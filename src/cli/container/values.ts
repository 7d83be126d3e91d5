import { invalid } from '#base'
import { badArgument } from '#cli/kit'

const UNITS = ['b', 'k', 'm', 'g', 't', 'p'] as const

/** «512m», «1.5g», «64KiB»: bytes in powers of 1024, as docker's flags read them. */
export function parseBytes(flag: string, text: string): number {
  const [, number, unit = 'b'] = /^(\d+(?:\.\d+)?) ?([bkmgtp])?(?:i?b)?$/i.exec(text) ?? []
  if (number === undefined) throw badArgument(text, flag, `invalid size: '${text}'`)
  return Math.floor(Number(number) * 1024 ** UNITS.findIndex((known) => known === unit.toLowerCase()))
}

/** «on-failure:3». */
export function parseRestart(text: string | undefined): Readonly<Record<string, unknown>> {
  const [name = '', count, ...more] = (text ?? 'no').split(':')
  if (more.length > 0) throw invalid('invalid restart policy format: maximum retry count must be an integer')
  if (count !== undefined && !/^\d+$/.test(count))
    throw invalid('invalid restart policy format: maximum retry count must be an integer')
  return { Name: name, MaximumRetryCount: Number(count ?? 0) }
}

/** «nofile=1024:2048». */
export function parseUlimit(text: string): Readonly<Record<string, unknown>> {
  const [, name, soft, hard = soft] = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text) ?? []
  if (name === undefined) throw badArgument(text, '--ulimit', `invalid ulimit argument: ${text}`)
  return { Name: name, Soft: Number(soft), Hard: Number(hard) }
}
