import { createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { invalid } from '#base'
import { command, flag } from '#cli/kit'

export const save = command({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
  flags: { output: flag.text('Write to a file, instead of STDOUT', { short: 'o' }) },
  min: 1,
  async run({ client, io, cwd }, { flags, args }) {
    if (flags.output === undefined && io.stdout.terminal)
      throw invalid('cowardly refusing to save to a terminal. Use the -o flag or redirect')
    const { bytes } = await client.stream('GET', '/images/get', { query: { names: args } })
    if (flags.output !== undefined) await pipeline(Readable.from(bytes), createWriteStream(resolve(cwd, flags.output)))
    else for await (const chunk of bytes) io.stdout.write(chunk)
    return 0
  },
})
