import { command, flag, formatTemplate, parseFilterFlags } from '#cli/kit'
import type { EventJson } from '#wire'

export const events = command({
  usage: '[OPTIONS]',
  summary: 'Get real time events from the server',
  flags: {
    filter: flag.list('Filter output based on conditions provided', { short: 'f', value: 'filter' }),
    format: flag.text('Format output: json, or a template such as {{.Action}}'),
    since: flag.text('Show all events created since timestamp'),
    until: flag.text('Stream events until this timestamp'),
  },
  max: 0,
  async run({ client, io }, { flags }) {
    const query = { since: flags.since, until: flags.until, filters: parseFilterFlags(flags.filter) }
    for await (const event of client.lines<EventJson>('GET', '/events', { query }))
      io.stdout.write(`${lineOf(event, flags.format)}\n`)
    return 0
  },
})

/** «2026-11-21T01:02:03.000000004Z container start 0123… (image=busybox, name=x)». */
function lineOf(event: EventJson, format: string | undefined): string {
  if (format === 'json') return JSON.stringify(event)
  if (format !== undefined) return formatTemplate(format, event)
  const fraction = String(BigInt(Math.trunc(event.timeNano)) % 1_000_000_000n).padStart(9, '0')
  const attributes = Object.entries(event.Actor.Attributes)
    .sort(([one], [two]) => (one < two ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
  const time = `${new Date(event.time * 1000).toISOString().slice(0, 19)}.${fraction}Z`
  return `${time} ${event.Type} ${event.Action} ${event.Actor.ID}${attributes.length > 0 ? ` (${attributes.join(', ')})` : ''}`
}
