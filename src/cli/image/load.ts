import { invalid } from '#base'
import { bytesOfFile, command, flag, showProgress } from '#cli/kit'
import { parsePlatform } from '#oci'
import type { ProgressLine } from '#wire'

export const load = command({
  usage: '[OPTIONS]',
  summary: 'Load an image from a tar archive or STDIN',
  flags: {
    input: flag.text('Read from tar archive file, instead of STDIN', { short: 'i' }),
    platform: flag.text(
      'Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    quiet: flag.switch('Suppress the load output', { short: 'q' }),
  },
  max: 0,
  async run({ client, io, cwd }, { flags }) {
    if (flags.input === undefined && io.stdin.terminal) throw invalid('requested load from stdin, but stdin is empty')
    const bytes = flags.input === undefined ? io.stdin.bytes : bytesOfFile(cwd, flags.input)
    const lines = client.lines<ProgressLine>('POST', '/images/load', {
      query: {
        quiet: flags.quiet ? '1' : '0',
        platform: flags.platform === undefined ? undefined : JSON.stringify(parsePlatform(flags.platform)),
      },
      bytes,
    })
    await showProgress(lines, io.stdout)
    return 0
  },
})
