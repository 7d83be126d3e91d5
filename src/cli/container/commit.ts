import { invalid } from '#base'
import { command, flag } from '#cli/kit'
import { familiarName, parseNamed } from '#oci'

export const commit = command({
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  summary: "Create a new image from a container's changes",
  flags: {
    author: flag.text('Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', { short: 'a' }),
    change: flag.list('Apply Dockerfile instruction to the created image', { short: 'c' }),
    message: flag.text('Commit message', { short: 'm' }),
    pause: flag.switch('Pause container during commit', { short: 'p', on: true }),
  },
  min: 1,
  max: 2,
  async run(context, { flags, args: [container = '', name] }) {
    const reference = name === undefined ? undefined : parseNamed(name)
    if (reference?.digest !== undefined) throw invalid('refusing to create a tag with a digest reference')
    const { Id } = await context.client.post<{ readonly Id: string }>('/commit', {
      query: {
        container,
        repo: reference && familiarName(reference),
        tag: reference?.tag,
        author: flags.author,
        comment: flags.message,
        changes: flags.change,
        pause: flags.pause ? '1' : '0',
      },
      json: {},
    })
    context.io.stdout.write(`${Id}\n`)
    return 0
  },
})
