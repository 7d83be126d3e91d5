import { command, flag } from '#cli/kit'
import { createView } from '#cli/template'
import type { InfoJson } from '#wire'
import { formatObject } from './object.ts'

/** What is shown, in docker's order; a field that the daemon does not have is left out. */
const FIELDS: readonly (readonly [string, string])[] = [
  ['Containers', 'Containers'],
  ['ContainersRunning', ' Running'],
  ['ContainersPaused', ' Paused'],
  ['ContainersStopped', ' Stopped'],
  ['Images', 'Images'],
  ['ServerVersion', 'Server Version'],
  ['Driver', 'Storage Driver'],
  ['LoggingDriver', 'Logging Driver'],
  ['CgroupDriver', 'Cgroup Driver'],
  ['CgroupVersion', 'Cgroup Version'],
  ['DefaultRuntime', 'Default Runtime'],
  ['KernelVersion', 'Kernel Version'],
  ['OperatingSystem', 'Operating System'],
  ['OSType', 'OSType'],
  ['Architecture', 'Architecture'],
  ['NCPU', 'CPUs'],
  ['MemTotal', 'Total Memory'],
  ['Name', 'Name'],
  ['ID', 'ID'],
  ['DockerRootDir', 'Data Root'],
]

const GIB = 2 ** 30

export const info = command({
  usage: '[OPTIONS]',
  summary: 'Display system-wide information',
  flags: { format: flag.text('Format output: json, or a template such as {{.Driver}}', { short: 'f' }) },
  max: 0,
  async run({ client, io }, { flags }) {
    const found = await client.get<InfoJson>('/info')
    if (flags.format === 'json') io.stdout.write(`${JSON.stringify(found)}\n`)
    else if (flags.format !== undefined)
      io.stdout.write(`${formatObject(flags.format, createView('system.dockerInfo', found), { io })}\n`)
    else {
      const rows = FIELDS.filter(([key]) => found[key] !== undefined).map(
        ([key, title]) => ` ${title}: ${show(key, found[key])}\n`,
      )
      io.stdout.write(`Server:\n${rows.join('')}`)
      for (const warning of found.Warnings ?? []) io.stderr.write(`${warning}\n`)
    }
    return 0
  },
})

function show(key: string, value: unknown): string {
  return key === 'MemTotal' && typeof value === 'number' ? `${Number((value / GIB).toPrecision(4))}GiB` : String(value)
}
