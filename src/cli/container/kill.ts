import { command, flag } from '#cli/kit'
import { forEach } from './each.ts'

export const kill = command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Kill one or more running containers',
  flags: { signal: flag.text('Signal to send to the container', { short: 's' }) },
  min: 1,
  run: (context, { flags, args }) =>
    forEach(context, args, async (path) => {
      await context.client.post(`${path}/kill`, { query: { signal: flags.signal } })
      return undefined
    }),
})
