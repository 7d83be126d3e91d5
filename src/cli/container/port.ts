import { command, CommandLineError } from '#cli/kit'
import type { ContainerJson } from '#wire'
import { pathOf } from './each.ts'

export const port = command({
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  summary: 'List port mappings or a specific mapping for the container',
  flags: {},
  min: 1,
  max: 2,
  async run({ client, io }, { args: [name = '', wanted] }) {
    const { NetworkSettings } = await client.get<ContainerJson>(`${pathOf(name)}/json`)
    const rows = Object.entries(NetworkSettings.Ports).flatMap(([key, places]) =>
      (places ?? []).map(({ HostIp, HostPort }) => ({ key, text: `${hostOf(HostIp)}:${HostPort}` })),
    )
    if (wanted === undefined) {
      const sorted = rows.toSorted((one, other) => numberOf(one.key) - numberOf(other.key))
      io.stdout.write(sorted.map(({ key, text }) => `${key} -> ${text}\n`).join(''))
      return 0
    }
    const found = rows.filter(({ key }) => key === portKey(wanted))
    if (found.length === 0) {
      throw new CommandLineError(`Error: No public port '${wanted}' published for ${name}`, { exit: 1 })
    }
    io.stdout.write(found.map(({ text }) => `${text}\n`).join(''))
    return 0
  },
})

function portKey(text: string): string {
  const at = text.indexOf('/')
  const [number, protocol] = at < 0 ? [text, 'tcp'] : [text.slice(0, at), text.slice(at + 1)]
  if (/^\d{1,5}$/.test(number)) return `${number}/${protocol}`
  const why = `strconv.ParseUint: parsing "${number}": invalid syntax`
  throw new CommandLineError(`Error: invalid port (${number}): ${why}`, { exit: 1 })
}

function numberOf(key: string): number {
  return Number(key.split('/')[0])
}

function hostOf(ip: string): string {
  return ip.includes(':') ? `[${ip}]` : ip
}
