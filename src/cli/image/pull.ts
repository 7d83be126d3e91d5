import { registryHeaders } from '#cli/credential'
import { command, flag, refuseTrust, showProgress, trustFlag } from '#cli/kit'
import { canonicalReference, familiarName, parseNamed, withDefaultTag } from '#oci'
import type { ProgressLine } from '#wire'

export const pull = command({
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  summary: 'Download an image from a registry',
  flags: {
    ...trustFlag,
    'all-tags': flag.switch('Download all tagged images in the repository', { short: 'a' }),
    platform: flag.text('Set platform if server is multi-platform capable'),
    quiet: flag.switch('Suppress verbose output', { short: 'q' }),
  },
  min: 1,
  max: 1,
  async run(context, { flags, args: [name = ''] }) {
    const { client, io } = context
    refuseTrust(flags)
    const named = parseNamed(name)
    const reference = flags['all-tags'] ? named : withDefaultTag(named)
    if (reference !== named && !flags.quiet) io.stdout.write('Using default tag: latest\n')
    const lines = client.lines<ProgressLine>('POST', '/images/create', {
      query: { fromImage: familiarName(reference), tag: reference.digest ?? reference.tag, platform: flags.platform },
      headers: await registryHeaders(context, reference.domain),
    })
    await showProgress(lines, flags.quiet ? { ...io.stdout, terminal: false, write: () => undefined } : io.stdout)
    io.stdout.write(`${canonicalReference(reference)}\n`)
    return 0
  },
})
