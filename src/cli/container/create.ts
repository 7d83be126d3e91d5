import { command } from '#cli/kit'
import { makeContainer } from './make.ts'
import { containerFlags } from './options.ts'

export const create = command({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a new container',
  flags: containerFlags,
  min: 1,
  leading: true,
  async run(context, { flags, given, args }) {
    const attachment = { stdin: flags.interactive, stdout: true, stderr: true }
    const id = await makeContainer(context, { flags, given, words: args, attachment })
    context.io.stdout.write(`${id}\n`)
    return 0
  },
})
