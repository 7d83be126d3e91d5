import { invalid } from '#base'
import { flag, type FlagValues } from '#cli/kit'
import { parseDuration } from './values.ts'

export const healthFlags = {
  'health-cmd': flag.text('Command to run to check health'),
  'health-interval': flag.text('Time between running the check (ms|s|m|h)', { value: 'duration' }),
  'health-retries': flag.number('Consecutive failures needed to report unhealthy'),
  'health-start-interval': flag.text('Time between running the check during the start period (ms|s|m|h)', {
    value: 'duration',
  }),
  'health-start-period': flag.text(
    'Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)',
    { value: 'duration' },
  ),
  'health-timeout': flag.text('Maximum time to allow one check to run (ms|s|m|h)', { value: 'duration' }),
  'no-healthcheck': flag.switch('Disable any container-specified HEALTHCHECK'),
}

type HealthFlags = FlagValues<typeof healthFlags>

const TIMES = {
  'health-interval': 'Interval',
  'health-timeout': 'Timeout',
  'health-start-period': 'StartPeriod',
  'health-start-interval': 'StartInterval',
} as const

/** `Config.Healthcheck`; undefined where no flag speaks of it. */
export function healthcheck(flags: HealthFlags): Readonly<Record<string, unknown>> | undefined {
  const times = Object.entries(TIMES).map(([name, member]) => ({ name, member, value: timeOf(flags, name) }))
  const retries = flags['health-retries'] ?? 0
  const command = flags['health-cmd'] ?? ''
  const says = command !== '' || retries !== 0 || times.some(({ value }) => value !== 0)
  if (flags['no-healthcheck']) {
    if (says) throw invalid('--no-healthcheck conflicts with --health-* options')
    return { Test: ['NONE'] }
  }
  if (!says) return undefined
  const negative = times.find(({ value }) => value < 0)?.name ?? (retries < 0 ? 'health-retries' : undefined)
  if (negative !== undefined) throw invalid(`--${negative} cannot be negative`)
  const said = times.filter(({ value }) => value !== 0).map(({ member, value }) => [member, value] as const)
  return {
    ...(command !== '' && { Test: ['CMD-SHELL', command] }),
    ...Object.fromEntries(said),
    ...(retries !== 0 && { Retries: retries }),
  }
}

function timeOf(flags: HealthFlags, name: string): number {
  const text = isTime(name) ? flags[name] : undefined
  return text === undefined ? 0 : parseDuration(`--${name}`, text)
}

function isTime(name: string): name is keyof typeof TIMES {
  return Object.hasOwn(TIMES, name)
}
