import { invalid } from '#base'
import { command, flag, outputFile, writeAll } from '#cli/kit'
import { parsePlatform } from '#oci'

export const save = command({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
  flags: {
    output: flag.text('Write to a file, instead of STDOUT', { short: 'o' }),
    platform: flag.text(
      'Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
  },
  min: 1,
  async run({ client, io, cwd }, { flags, args }) {
    if (!flags.output && io.stdout.terminal)
      throw invalid('cowardly refusing to save to a terminal. Use the -o flag or redirect')
    const write = flags.output ? outputFile(cwd, flags.output, 'save image') : undefined
    const platform = flags.platform === undefined ? undefined : JSON.stringify(parsePlatform(flags.platform))
    const { bytes } = await client.stream('GET', '/images/get', { query: { names: args, platform } })
    if (write) await write(bytes)
    else await writeAll(io.stdout, bytes)
    return 0
  },
})
