import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { invalid } from '#base'
import { command, flag, writeAll } from '#cli/kit'
import { pathOf } from './each.ts'

export const exportContainer = command({
  usage: '[OPTIONS] CONTAINER',
  summary: "Export a container's filesystem as a tar archive",
  flags: { output: flag.text('Write to a file, instead of STDOUT', { short: 'o' }) },
  min: 1,
  max: 1,
  async run(context, { flags, args: [name = ''] }) {
    if (flags.output === undefined && context.io.stdout.terminal) {
      throw invalid('cowardly refusing to save to a terminal. Use the -o flag or redirect')
    }
    const { bytes } = await context.client.stream('GET', `${pathOf(name)}/export`)
    if (flags.output !== undefined) await pipeline(Readable.from(bytes), createWriteStream(flags.output))
    else await writeAll(context.io.stdout, bytes)
    return 0
  },
})
