import { isKind } from '#base'
import { command, flag } from '#cli/kit'
import { forEach } from './each.ts'

export const stop = command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Stop one or more running containers',
  flags: {
    signal: flag.text('Signal to send to the container', { short: 's' }),
    timeout: flag.number('Seconds to wait before killing the container', { short: 't' }),
    time: flag.number('The same as --timeout'),
  },
  min: 1,
  run: (context, { flags, args }) =>
    forEach(context, args, async (path) => {
      const query = { signal: flags.signal, t: flags.timeout ?? flags.time }
      // One that has stopped already is as it should be.
      await context.client.post(`${path}/stop`, { query }).catch((error: unknown) => {
        if (!isKind(error, 'not-modified')) throw error
      })
      return undefined
    }),
})
