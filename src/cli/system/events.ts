import { apiTime, command, CommandLineError, flag, parseFilterFlags } from '#cli/kit'
import { createView, parseTemplate, TemplateError } from '#cli/template'
import { decodeText, type EventJson } from '#wire'

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
  async run({ client, io, now }, { flags }) {
    const show = shower(flags.format)
    const [since, until] = [flags.since, flags.until].map((text) => checkTime(text, now))
    const query = { since, until, filters: parseFilterFlags(flags.filter) }
    const { bytes } = await client.stream('GET', '/events', { query })
    for await (const line of decodeText(bytes)) io.stdout.write(`${show(line)}\n`)
    return 0
  },
})

/** As the daemon would read it; durations count from this machine's time. */
function checkTime(text: string | undefined, now: number): string | undefined {
  try {
    return apiTime(text, now)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new CommandLineError(`failed to parse value as time or duration: "${text}"`, { exit: 1 })
  }
}

const NOTHING = '{"Type":"","Action":"","Actor":{"ID":"","Attributes":{}},"scope":"","time":0,"timeNano":0}'
const PARSE_EXIT = 64

/** A template is tried on an event of nothing first: what is wrong with it is said before anything is asked for. */
function shower(format: string | undefined): (line: string) => string {
  if (format === undefined || format === '') return lineOf
  if (/^json$|^\{\{ *json +\. *\}\}$/.test(format)) return (line) => line
  try {
    const template = parseTemplate(format.replaceAll('\\t', '\t').replaceAll('\\n', '\n'))
    const show = (line: string): string => template.execute(viewOf(line))
    show(NOTHING)
    return show
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    throw new CommandLineError(`Error parsing format: ${error.message}`, { exit: PARSE_EXIT })
  }
}

/** Go's names of the members, in its order. */
function viewOf(line: string): unknown {
  const { status = '', id = '', from = '', Type, Action, Actor, scope, time } = eventOf(line)
  const fields = { Status: status, ID: id, From: from, Type, Action, Actor: actorView(Actor), Scope: scope, Time: time }
  return createView('*events.Message', { ...fields, TimeNano: nanosecondsOf(line) })
}

const actorView = ({ ID, Attributes }: EventJson['Actor']): unknown => createView('events.Actor', { ID, Attributes })

/** «2026-11-21T01:02:03.000000004Z container start 0123… (image=busybox, name=x)». */
function lineOf(line: string): string {
  const { Type, Action, Actor, time } = eventOf(line)
  const attributes = Object.entries(Actor.Attributes)
    .sort(([one], [two]) => (one < two ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
  const date = `${new Date(time * 1000).toISOString().slice(0, 19)}.${nanosecondsOf(line).slice(-9).padStart(9, '0')}Z`
  return `${date} ${Type} ${Action} ${Actor.ID}${attributes.length > 0 ? ` (${attributes.join(', ')})` : ''}`
}

const eventOf = (line: string): EventJson => JSON.parse(line)

/** All their digits: more than a number of JavaScript holds. The last member of a line; attributes are text, and quoted. */
function nanosecondsOf(line: string): string {
  return /"timeNano":(\d+)\}\s*$/.exec(line)?.[1] ?? '0'
}
