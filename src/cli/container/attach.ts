import { conflict } from '#base'
import { command, flag } from '#cli/kit'
import type { ContainerJson } from '#wire'
import { cancelledByKeys, foreground, requireTerminal } from './foreground.ts'
import { pathOf } from './each.ts'

export const attach = command({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Attach local standard input, output, and error streams to a running container',
  flags: {
    'detach-keys': flag.text('Override the key sequence for detaching a container'),
    'no-stdin': flag.switch('Do not attach STDIN'),
    'sig-proxy': flag.switch('Proxy all received signals to the process', { on: true }),
  },
  min: 1,
  max: 1,
  async run(context, { flags, args: [name = ''] }) {
    const { Id, Config, State } = await context.client.get<ContainerJson>(`${pathOf(name)}/json`)
    if (!State.Running) throw conflict('You cannot attach to a stopped container, start it first')
    if (State.Paused) throw conflict('You cannot attach to a paused container, unpause it first')
    if (Config.Tty && Config.OpenStdin && !flags['no-stdin']) requireTerminal(context)
    const end = await foreground(context, {
      id: Id,
      attachment: { stdin: !flags['no-stdin'] && Config.OpenStdin, stdout: true, stderr: true },
      tty: Config.Tty,
      remove: false,
      signals: flags['sig-proxy'] && !Config.Tty,
      detachKeys: flags['detach-keys'],
      running: true,
    })
    if (end === 'detached') throw cancelledByKeys()
    return end
  },
})
