import { EngineError, invalid } from '#base'
import { CommandLineError, command, complaint, type Context, flag, startStatus } from '#cli/kit'
import { type Attachment, attachFlag, containerFlags, streamsOf } from '#cli/request'
import { consoleSize, foreground, requireTerminal } from './foreground.ts'
import { makeContainer } from './make.ts'

export const run = command({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create and run a new container from an image',
  flags: {
    ...containerFlags,
    ...attachFlag,
    detach: flag.switch('Run container in background and print container ID', { short: 'd' }),
    'detach-keys': flag.text('Override the key sequence for detaching a container'),
    'sig-proxy': flag.switch('Proxy received signals to the process', { on: true }),
  },
  examples: [
    'mica run --rm -it debian bash',
    'mica run -d --name web -p 8080:80 -v data:/var/www nginx',
    'mica run --rm -v "$PWD":/work -w /work node npm test',
  ],
  min: 1,
  leading: true,
  async run(context, { flags, given, args }) {
    if (flags.detach && flags.attach.length > 0)
      throw invalid('conflicting options: cannot specify both --attach and --detach')
    if (!flags.detach && flags.interactive && flags.tty) requireTerminal(context)
    const attachment = flags.detach ? NOTHING : streamsOf(flags)
    try {
      const console = consoleSize(context, flags.tty)
      const id = await makeContainer(context, { flags, given, words: args, attachment, console })
      if (flags.detach) return await startInBackground(context, id)
      const end = await foreground(context, {
        id,
        attachment,
        tty: flags.tty,
        remove: flags.rm,
        signals: flags['sig-proxy'],
        detachKeys: flags['detach-keys'],
      })
      return end === 'detached' ? 0 : end
    } catch (error) {
      throw refusal(context, error)
    }
  },
})

/** In the background nothing is attached. */
const NOTHING: Attachment = { stdin: false, stdout: false, stderr: false }

async function startInBackground({ client, io }: Context, id: string): Promise<number> {
  // Known also where it does not come to run, so that it can be looked at and removed.
  io.stdout.write(`${id}\n`)
  await client.post(`/containers/${id}/start`)
  return 0
}

/** Docker's form and exit statuses of a run that did not come to run. */
function refusal({ name }: Context, error: unknown): unknown {
  if (!(error instanceof EngineError) || error instanceof CommandLineError || error.kind === 'cancelled') return error
  return new CommandLineError(`mica: ${complaint(error)}`, {
    exit: startStatus(error.message, 125),
    advice: `Run '${name} --help' for more information`,
  })
}
