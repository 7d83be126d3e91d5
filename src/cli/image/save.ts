import { createWriteStream, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { invalid } from '#base'
import { command, flag, writeAll } from '#cli/kit'
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
    if (flags.output === undefined && io.stdout.terminal)
      throw invalid('cowardly refusing to save to a terminal. Use the -o flag or redirect')
    const target = flags.output === undefined ? undefined : resolve(cwd, flags.output)
    if (target !== undefined) checkTarget(target)
    const platform = flags.platform === undefined ? undefined : JSON.stringify(parsePlatform(flags.platform))
    const { bytes } = await client.stream('GET', '/images/get', { query: { names: args, platform } })
    if (target !== undefined) await pipeline(Readable.from(bytes), createWriteStream(target))
    else await writeAll(io.stdout, bytes)
    return 0
  },
})

/** Before anything is asked for: a place that cannot be written keeps nobody waiting. */
function checkTarget(path: string): void {
  const folder = dirname(path)
  if (!existsSync(folder))
    throw invalid(`failed to save image: invalid output path: stat ${folder}: no such file or directory`)
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    throw invalid('failed to save image: cannot write to a directory')
}
