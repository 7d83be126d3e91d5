import { command } from '#cli/kit'

export const rename = command({
  usage: 'CONTAINER NEW_NAME',
  summary: 'Rename a container',
  flags: {},
  min: 2,
  max: 2,
  async run(context, { args: [name = '', to = ''] }) {
    await context.client.post(`/containers/${encodeURIComponent(name)}/rename`, { query: { name: to } })
    return 0
  },
})
