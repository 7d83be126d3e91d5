import { command } from '#cli/kit'
import { forEach } from './each.ts'

const usage = 'CONTAINER [CONTAINER...]'

export const pause = command({
  usage,
  summary: 'Pause all processes within one or more containers',
  flags: {},
  min: 1,
  run: (context, { args }) =>
    forEach(context, args, async (path) => {
      await context.client.post(`${path}/pause`)
      return undefined
    }),
})

export const unpause = command({
  usage,
  summary: 'Unpause all processes within one or more containers',
  flags: {},
  min: 1,
  run: (context, { args }) =>
    forEach(context, args, async (path) => {
      await context.client.post(`${path}/unpause`)
      return undefined
    }),
})
