import { command } from '#cli/kit'
import type { WaitJson } from '#wire'
import { forEach } from './each.ts'

export const wait = command({
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Block until one or more containers stop, then print their exit codes',
  flags: {},
  min: 1,
  run: (context, { args }) =>
    forEach(context, args, async (path) => {
      const { StatusCode } = await context.client.post<WaitJson>(`${path}/wait`)
      return String(StatusCode)
    }),
})
