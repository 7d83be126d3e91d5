import { EngineError } from '#base'
import { command, complaint, flag } from '#cli/kit'
import { parsePlatform } from '#oci'
import type { RemovedImageJson } from '#wire'

export const rmi = command({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Remove one or more images',
  flags: {
    force: flag.switch('Force removal of the image', { short: 'f' }),
    'no-prune': flag.switch('Do not delete untagged parents'),
    platform: flag.list(
      'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
      { value: 'strings' },
    ),
  },
  min: 1,
  async run({ client, io }, { flags, args }) {
    let exit = 0
    const platforms = flags.platform
      .flatMap((text) => text.split(','))
      .map((text) => JSON.stringify(parsePlatform(text)))
    for (const name of args) {
      try {
        const query = { force: flags.force, noprune: flags['no-prune'], platforms }
        const removed = await client.delete<readonly RemovedImageJson[]>(`/images/${encodeURIComponent(name)}`, {
          query,
        })
        io.stdout.write(removed.map(lineOf).join(''))
      } catch (error) {
        if (!(error instanceof EngineError) || error.kind === 'unavailable') throw error
        io.stderr.write(`${complaint(error)}\n`)
        if (error.kind !== 'not-found' || !flags.force) exit = 1
      }
    }
    return exit
  },
})

function lineOf({ Untagged, Deleted }: RemovedImageJson): string {
  return Deleted === undefined ? `Untagged: ${Untagged}\n` : `Deleted: ${Deleted}\n`
}
