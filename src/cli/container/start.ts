import { EngineError, invalid } from '#base'
import { command, complaint, type Context, flag } from '#cli/kit'
import type { ContainerJson } from '#wire'
import { foreground } from './foreground.ts'
import { pathOf } from './each.ts'

export const start = command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Start one or more stopped containers',
  flags: {
    attach: flag.switch('Attach STDOUT/STDERR and forward signals', { short: 'a' }),
    'detach-keys': flag.text('Override the key sequence for detaching a container'),
    interactive: flag.switch("Attach container's STDIN", { short: 'i' }),
    'sig-proxy': flag.switch('Proxy received signals to the process', { on: true }),
  },
  min: 1,
  async run(context, { flags, args }) {
    if (!flags.attach && !flags.interactive) return await startAll(context, args)
    if (args.length > 1) throw invalid('you cannot start and attach multiple containers at once')
    const path = pathOf(args[0] ?? '')
    const { Id, Config, HostConfig } = await context.client.get<ContainerJson>(`${path}/json`)
    const end = await foreground(context, {
      id: Id,
      attachment: { stdin: flags.interactive && Config.OpenStdin, stdout: true, stderr: true },
      tty: Config.Tty,
      remove: HostConfig['AutoRemove'] === true,
      signals: flags['sig-proxy'] && !Config.Tty,
      detachKeys: flags['detach-keys'],
    })
    return end === 'detached' ? 0 : end
  },
})

/** One after the other, as docker does; the names that failed come last. */
async function startAll({ client, io }: Context, names: readonly string[]): Promise<number> {
  const failed: string[] = []
  for (const name of names) {
    try {
      await client.post(`${pathOf(name)}/start`)
      io.stdout.write(`${name}\n`)
    } catch (error) {
      if (!(error instanceof EngineError) || error.kind === 'unavailable') throw error
      if (error.kind === 'not-modified') io.stdout.write(`${name}\n`)
      else {
        io.stderr.write(`${complaint(error)}\n`)
        failed.push(name)
      }
    }
  }
  if (failed.length > 0) io.stderr.write(`Error: failed to start containers: ${failed.join(', ')}\n`)
  return failed.length > 0 ? 1 : 0
}
