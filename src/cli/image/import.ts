import { bytesOfFile, command, flag, showProgress } from '#cli/kit'
import { familiarName, parseNamed } from '#oci'
import type { ProgressLine } from '#wire'

export const importImage = command({
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  summary: 'Import the contents from a tarball to create a filesystem image',
  flags: {
    change: flag.list('Apply Dockerfile instruction to the created image', { short: 'c' }),
    message: flag.text('Set commit message for imported image', { short: 'm' }),
    platform: flag.text('Set platform if server is multi-platform capable'),
  },
  min: 1,
  max: 2,
  async run({ client, io, cwd }, { flags, args: [file = '-', name] }) {
    const reference = name === undefined ? undefined : parseNamed(name)
    const isAddress = /^https?:\/\//.test(file)
    const lines = client.lines<ProgressLine>('POST', '/images/create', {
      query: {
        fromSrc: isAddress ? file : '-',
        repo: reference && familiarName(reference),
        tag: reference?.tag,
        message: flags.message,
        changes: flags.change,
        platform: flags.platform,
      },
      ...(!isAddress && { bytes: file === '-' ? io.stdin.bytes : bytesOfFile(cwd, file) }),
    })
    await showProgress(lines, io.stdout)
    return 0
  },
})
