import { EngineError } from '#base'
import {
  CommandLineError,
  command,
  complaint,
  connectStreams,
  type Context,
  flag,
  parseKeys,
  startStatus,
  userSetting,
} from '#cli/kit'
import { environment } from '#cli/request'
import type { ExecJson } from '#wire'
import { cancelledByKeys, consoleSize, followSize, requireTerminal } from './foreground.ts'
import { pathOf } from './each.ts'

export const exec = command({
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  summary: 'Execute a command in a running container',
  flags: {
    detach: flag.switch('Detached mode: run command in the background', { short: 'd' }),
    'detach-keys': flag.text('Override the key sequence for detaching a container'),
    env: flag.list('Set environment variables', { short: 'e' }),
    'env-file': flag.list('Read in a file of environment variables'),
    interactive: flag.switch('Keep STDIN open even if not attached', { short: 'i' }),
    privileged: flag.switch('Give extended privileges to the command'),
    tty: flag.switch('Allocate a pseudo-TTY', { short: 't' }),
    user: flag.text('Username or UID (format: "<name|uid>[:<group|gid>]")', { short: 'u' }),
    workdir: flag.text('Working directory inside the container', { short: 'w' }),
  },
  examples: ['mica exec -it web sh', 'mica exec -u root -w /tmp web id', 'echo hello | mica exec -i web cat'],
  min: 2,
  leading: true,
  async run(context, { flags, args: [container = '', ...words] }) {
    const env = environment({ flags, env: context.env, cwd: context.cwd })
    if (flags.interactive && flags.tty && !flags.detach && !context.io.stdin.terminal) {
      // What is wrong with the container is said first.
      await context.client.get(`${pathOf(container)}/json`)
      requireTerminal(context)
    }
    const { Id } = await context.client.post<{ readonly Id: string }>(`${pathOf(container)}/exec`, {
      json: {
        AttachStdin: flags.interactive && !flags.detach,
        AttachStdout: !flags.detach,
        AttachStderr: !flags.detach,
        DetachKeys: flags['detach-keys'] ?? userSetting(context, 'detachKeys') ?? '',
        Tty: flags.tty,
        Cmd: words,
        Env: env,
        User: flags.user ?? '',
        WorkingDir: flags.workdir ?? '',
        Privileged: flags.privileged,
        Detach: flags.detach,
        ...consoleSize(context, flags.tty),
      },
    })
    if (flags.detach) {
      await context.client.post(`/exec/${Id}/start`, { json: { Detach: true, Tty: flags.tty } })
      return 0
    }
    try {
      return await joinExec(context, Id, flags)
    } catch (error) {
      throw refusal(error)
    }
  },
})

interface ExecFlags {
  readonly interactive: boolean
  readonly tty: boolean
  readonly 'detach-keys': string | undefined
}

async function joinExec(context: Context, id: string, flags: ExecFlags): Promise<number> {
  const { client, io } = context
  using stream = await client.hijack(`/exec/${id}/start`, {
    json: { Detach: false, Tty: flags.tty, ...consoleSize(context, flags.tty) },
  })
  using released = new DisposableStack()
  if (flags.tty && flags.interactive && io.stdin.terminal) released.use(io.stdin.raw())
  if (flags.tty && io.stdout.terminal) released.use(followSize(context, `/exec/${id}`))
  const keys = flags['detach-keys'] ?? userSetting(context, 'detachKeys')
  const detachKeys = flags.tty ? parseKeys(keys) : undefined
  const outcome = await connectStreams(stream, { io, input: flags.interactive, detachKeys })
  if (outcome === 'detached') throw cancelledByKeys()
  const { ExitCode } = await client.get<ExecJson>(`/exec/${id}/json`)
  return ExitCode ?? 0
}

function refusal(error: unknown): unknown {
  if (!(error instanceof EngineError)) return error
  const exit = startStatus(error.message, 1)
  return exit === 1 ? error : new CommandLineError(complaint(error), { exit })
}
