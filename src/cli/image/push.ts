import { invalid } from '#base'
import { registryHeaders } from '#cli/credential'
import { command, flag, refuseTrust, showProgress, trustFlag } from '#cli/kit'
import { canonicalReference, familiarName, parseNamed, parsePlatform, withDefaultTag } from '#oci'
import type { ProgressLine } from '#wire'

const PLATFORM_NOTE = `
 Info -> Using --platform pushes only the specified platform manifest of a multi-platform image index.
         Other components, like attestations, will not be included.
         To push the complete multi-platform image, remove the --platform flag.
         
`

export const push = command({
  usage: '[OPTIONS] NAME[:TAG]',
  summary: 'Upload an image to a registry',
  flags: {
    ...trustFlag,
    'all-tags': flag.switch('Push all tags of an image to the repository', { short: 'a' }),
    compression: flag.text('Pack the layers as gzip or zstd (default: as the image came, else gzip)'),
    platform: flag.text(
      'Push a platform-specific manifest as a single-platform image to the registry. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    quiet: flag.switch('Suppress verbose output', { short: 'q' }),
  },
  min: 1,
  max: 1,
  async run(context, { flags, args: [name = ''] }) {
    const { client, io } = context
    refuseTrust(flags)
    const named = parseNamed(name)
    if (named.digest !== undefined) throw invalid('cannot push a digest reference')
    if (flags.platform !== undefined) io.stdout.write(PLATFORM_NOTE)
    const reference = flags['all-tags'] ? named : withDefaultTag(named)
    if (reference !== named && !flags.quiet) io.stdout.write('Using default tag: latest\n')
    const lines = client.lines<ProgressLine>('POST', `/images/${encodeURIComponent(familiarName(reference))}/push`, {
      query: {
        tag: reference.tag,
        platform: flags.platform === undefined ? undefined : JSON.stringify(parsePlatform(flags.platform)),
        compression: flags.compression,
      },
      headers: await registryHeaders(context, reference.domain),
    })
    await showProgress(lines, flags.quiet ? { ...io.stdout, terminal: false, write: () => undefined } : io.stdout)
    if (flags.quiet) io.stdout.write(`${canonicalReference(reference)}\n`)
    return 0
  },
})
