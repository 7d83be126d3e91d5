import { command } from '#cli/kit'
import { attachFlag, containerFlags, streamsOf } from '#cli/request'
import { makeContainer } from './make.ts'

export const create = command({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a new container',
  flags: { ...containerFlags, ...attachFlag },
  min: 1,
  leading: true,
  async run(context, { flags, given, args }) {
    const id = await makeContainer(context, { flags, given, words: args, attachment: streamsOf(flags) })
    context.io.stdout.write(`${id}\n`)
    return 0
  },
})
