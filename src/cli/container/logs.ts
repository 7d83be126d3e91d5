import { command, flag } from '#cli/kit'
import type { ContainerJson } from '#wire'
import { decodeFrames } from '#wire'

export const logs = command({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Fetch the logs of a container',
  flags: {
    details: flag.switch('Show extra details provided to logs'),
    follow: flag.switch('Follow log output', { short: 'f' }),
    since: flag.text('Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)'),
    tail: flag.text('Number of lines to show from the end of the logs', { short: 'n' }),
    timestamps: flag.switch('Show timestamps', { short: 't' }),
    until: flag.text(
      'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    ),
  },
  examples: ['mica logs -f --tail 20 web', 'mica logs -t --since 10m web'],
  min: 1,
  max: 1,
  async run({ client, io }, { flags, args: [name = ''] }) {
    const path = `/containers/${encodeURIComponent(name)}`
    const { Config } = await client.get<ContainerJson>(`${path}/json`)
    const { bytes } = await client.stream('GET', `${path}/logs`, {
      query: { ...flags, tail: flags.tail ?? 'all', stdout: true, stderr: true },
    })
    if (Config.Tty) for await (const chunk of bytes) io.stdout.write(chunk)
    else
      for await (const { stream, bytes: chunk } of decodeFrames(bytes))
        (stream === 'stderr' ? io.stderr : io.stdout).write(chunk)
    return 0
  },
})
