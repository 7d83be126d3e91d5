import { command, flag } from '#cli/kit'
import { forEach } from './each.ts'

export const rm = command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Remove one or more containers',
  flags: {
    force: flag.switch('Force the removal of a running container (uses SIGKILL)', { short: 'f' }),
    link: flag.switch('Remove the specified link', { short: 'l' }),
    volumes: flag.switch('Remove anonymous volumes associated with the container', { short: 'v' }),
  },
  min: 1,
  run: (context, { flags, args }) =>
    forEach(
      context,
      args,
      async (path) => {
        await context.client.delete(path, { query: { force: flags.force, link: flags.link, v: flags.volumes } })
        return undefined
      },
      {
        // What is not there is as --force wants it.
        forgives: (error) => flags.force && error.kind === 'not-found',
        ofNoName: 'container name cannot be empty',
      },
    ),
})
