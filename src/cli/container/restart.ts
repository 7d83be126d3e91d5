import { command, flag } from '#cli/kit'
import { forEach } from './each.ts'

export const restart = command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Restart one or more containers',
  flags: {
    signal: flag.text('Signal to send to the container', { short: 's' }),
    timeout: flag.number('Seconds to wait before killing the container', { short: 't' }),
    time: flag.number('The same as --timeout'),
  },
  min: 1,
  run: (context, { flags, args }) =>
    forEach(context, args, async (path) => {
      const query = { signal: flags.signal, t: flags.timeout ?? flags.time }
      await context.client.post(`${path}/restart`, { query })
      return undefined
    }),
})
