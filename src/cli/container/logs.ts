import { EngineError, invalid } from '#base'
import { apiTime, command, flag, writeAll, writeFrames } from '#cli/kit'
import type { ContainerJson } from '#wire'
import { pathOf } from './each.ts'

export const logs = command({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Fetch the logs of a container',
  flags: {
    details: flag.switch('Show extra details provided to logs'),
    follow: flag.switch('Follow log output', { short: 'f' }),
    since: flag.text('Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)'),
    tail: flag.text('Number of lines to show from the end of the logs', { short: 'n', initial: '"all"' }),
    timestamps: flag.switch('Show timestamps', { short: 't' }),
    until: flag.text(
      'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    ),
  },
  examples: ['mica logs -f --tail 20 web', 'mica logs -t --since 10m web'],
  min: 1,
  max: 1,
  async run({ client, io, now }, { flags, args: [name = ''] }) {
    const path = pathOf(name)
    const { Config } = await client.get<ContainerJson>(`${path}/json`)
    const [since, until] = [timeOf('since', flags.since, now), timeOf('until', flags.until, now)]
    const { bytes } = await client.stream('GET', `${path}/logs`, {
      query: { ...flags, since, until, tail: flags.tail ?? 'all', stdout: true, stderr: true },
    })
    if (Config.Tty) await writeAll(io.stdout, bytes)
    else await writeFrames(io, bytes)
    return 0
  },
})

/** Checked here, and a duration counted from this machine's time, as docker's client does. */
function timeOf(name: string, text: string | undefined, now: number): string | undefined {
  try {
    return apiTime(text, now)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    throw invalid(`invalid value for "${name}": ${whyNoTime(text ?? '')}`, { cause: error })
  }
}

/** Go's words where a date alone is followed by more or cannot be, docker's own for all else. */
function whyNoTime(text: string): string {
  const [, month, day, extra = ''] = /^\d{4}-(\d\d)-(\d\d)([^T].*)?$/s.exec(text) ?? []
  if (month === undefined) return `failed to parse value as time or duration: ${JSON.stringify(text)}`
  const field = Number(month) < 1 || Number(month) > 12 ? 'month' : Number(day) < 1 || Number(day) > 31 ? 'day' : ''
  const why = field === '' ? `extra text: ${JSON.stringify(extra)}` : `${field} out of range`
  return `parsing time ${JSON.stringify(text)}: ${why}`
}
