import { invalid } from '#base'
import { command, flag, outputFile, writeAll } from '#cli/kit'
import { pathOf } from './each.ts'

export const exportContainer = command({
  usage: '[OPTIONS] CONTAINER',
  summary: "Export a container's filesystem as a tar archive",
  flags: { output: flag.text('Write to a file, instead of STDOUT', { short: 'o' }) },
  min: 1,
  max: 1,
  async run(context, { flags, args: [name = ''] }) {
    if (!flags.output && context.io.stdout.terminal)
      throw invalid('cowardly refusing to save to a terminal. Use the -o flag or redirect')
    const write = flags.output ? outputFile(context.cwd, flags.output, 'export container') : undefined
    const { bytes } = await context.client.stream('GET', `${pathOf(name)}/export`)
    if (write) await write(bytes)
    else await writeAll(context.io.stdout, bytes)
    return 0
  },
})
