import { EngineError, invalid } from '#base'
import { command, complaint } from '#cli/kit'

export const rename = command({
  usage: 'CONTAINER NEW_NAME',
  summary: 'Rename a container',
  flags: {},
  min: 2,
  max: 2,
  async run(context, { args: [name = '', to = ''] }) {
    if (name.trim() === '' || to.trim() === '') throw invalid('Error: Neither old nor new names may be empty')
    try {
      await context.client.post(`/containers/${encodeURIComponent(name)}/rename`, { query: { name: to } })
      return 0
    } catch (error) {
      if (!(error instanceof EngineError) || error.details?.['status'] === undefined) throw error
      context.io.stderr.write(`${complaint(error)}\nError: failed to rename container named ${name}\n`)
      return 1
    }
  },
})
