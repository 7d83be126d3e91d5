import { commandOf, draftError, nodeOf, readFlags } from './draft.ts'
import type { Draft, Flags } from './draft.ts'
import { parseDuration } from './duration.ts'
import type { HealthcheckInstruction } from './types.ts'

/** The shortest time that Docker takes, in nanoseconds. */
const MINIMUM = 1_000_000

export function parseHealthcheck(draft: Draft): HealthcheckInstruction {
  const [, type = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(draft.cut.rest) ?? []
  if (type === '') throw draftError(draft, 'HEALTHCHECK requires at least one argument')
  const command = commandOf(draft, rest)
  const none = type.toUpperCase() === 'NONE'
  if (none && rest !== '') throw draftError(draft, 'HEALTHCHECK NONE takes no arguments')
  const flags = readFlags(draft, {
    interval: 'text',
    timeout: 'text',
    'start-period': 'text',
    'start-interval': 'text',
    retries: 'text',
  })
  if (!none && type.toUpperCase() !== 'CMD')
    throw draftError(draft, `Unknown type ${JSON.stringify(type.toUpperCase())} in HEALTHCHECK (try CMD)`)
  const empty = command.form === 'exec' ? command.args.length === 0 : command.line === ''
  if (!none && empty) throw draftError(draft, 'Missing command after HEALTHCHECK CMD')
  return {
    kind: 'healthcheck',
    ...nodeOf(draft),
    ...(none ? {} : { command }),
    interval: interval(draft, flags, 'interval'),
    timeout: interval(draft, flags, 'timeout'),
    startPeriod: interval(draft, flags, 'start-period'),
    startInterval: interval(draft, flags, 'start-interval'),
    retries: retriesOf(draft, flags),
  }
}

function interval(draft: Draft, flags: Flags, name: string): number {
  const text = flags.text(name)?.value ?? ''
  if (text === '') return 0
  const duration = parseDuration(text)
  if (typeof duration !== 'number') throw draftError(draft, duration.problem)
  if (duration !== 0 && duration < MINIMUM)
    throw draftError(draft, `Interval ${JSON.stringify(name)} cannot be less than 1ms`)
  return duration
}

function retriesOf(draft: Draft, flags: Flags): number {
  const text = flags.text('retries')?.value ?? ''
  if (text === '') return 0
  if (!/^[+-]?\d{1,10}$/.test(text))
    throw draftError(draft, `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  const retries = Number(text)
  if (retries < 0) throw draftError(draft, `--retries cannot be negative (${retries})`)
  return retries
}
