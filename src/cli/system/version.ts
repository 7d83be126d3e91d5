import { isKind } from '#base'
import { command, complaint, flag } from '#cli/kit'
import { createView } from '#cli/template'
import { API_VERSION, type VersionJson } from '#wire'
import { formatObject } from './object.ts'

export const version = command({
  usage: '[OPTIONS]',
  summary: 'Show the mica version information',
  flags: { format: flag.text('Format output: json, or a template such as {{.Server.Version}}', { short: 'f' }) },
  max: 0,
  async run({ client, io, version: own }, { flags }) {
    const Client = {
      Version: own,
      ApiVersion: API_VERSION,
      APIVersion: API_VERSION,
      DefaultAPIVersion: API_VERSION,
      NodeVersion: process.version,
      Os: process.platform,
      Arch: process.arch === 'x64' ? 'amd64' : process.arch,
    }
    const found = await client.get<VersionJson>('/version').catch((error: unknown) => {
      if (isKind(error, 'unavailable')) return error
      throw error
    })
    // Docker's templates and its JSON call this member by two names.
    const Server = found instanceof Error ? undefined : { Experimental: false, ...found, APIVersion: found.ApiVersion }
    if (flags.format === 'json') io.stdout.write(`${JSON.stringify({ Client, Server: Server ?? null })}\n`)
    else if (flags.format !== undefined)
      io.stdout.write(
        `${formatObject(flags.format, createView('system.versionInfo', { Client, Server }), { io, name: 'version' })}\n`,
      )
    else {
      io.stdout.write(
        `Client:\n${lines([
          ['Version', Client.Version],
          ['API version', Client.ApiVersion],
          ['Node version', Client.NodeVersion],
          ['OS/Arch', `${Client.Os}/${Client.Arch}`],
        ])}`,
      )
      if (Server) io.stdout.write(`\nServer:\n${serverText(Server)}`)
    }
    if (!(found instanceof Error)) return 0
    io.stderr.write(`${complaint(found)}\n`)
    return 1
  },
})

function serverText(server: VersionJson): string {
  const engine = lines([
    ['Version', server.Version],
    ['API version', `${server.ApiVersion} (minimum version ${server.MinAPIVersion})`],
    ['OS/Arch', `${server.Os}/${server.Arch}`],
    ['Kernel', server.KernelVersion],
  ])
  const parts = server.Components.filter(({ Name }) => Name !== 'Engine').map(
    ({ Name, Version }) => ` ${Name}:\n  Version:          ${Version}\n`,
  )
  return ` Engine:\n${engine.replaceAll(/^/gm, ' ').trimEnd()}\n${parts.join('')}`
}

function lines(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([name, value]) => ` ${`${name}:`.padEnd(19)}${value}\n`).join('')
}
