import { EngineError, isKind } from '#base'
import { command, CommandLineError, complaint, flag, pairsOf } from '#cli/kit'
import { ipamConfig } from './network-ipam.ts'

export const createNetwork = command({
  usage: '[OPTIONS] NETWORK',
  summary: 'Create a network',
  flags: {
    attachable: flag.switch('Enable manual container attachment'),
    'aux-address': flag.list('Auxiliary IPv4 or IPv6 addresses used by Network driver', { value: 'map' }),
    'config-from': flag.text('The network from which to copy the configuration'),
    'config-only': flag.switch('Create a configuration only network'),
    driver: flag.text('Driver to manage the Network', { short: 'd', initial: '"bridge"' }),
    gateway: flag.list('IPv4 or IPv6 Gateway for the master subnet', { value: 'strings' }),
    ingress: flag.switch('Create swarm routing-mesh network'),
    internal: flag.switch('Restrict external access to the network'),
    'ip-range': flag.list('Allocate container ip from a sub-range', { value: 'strings' }),
    'ipam-driver': flag.text('IP Address Management Driver', { initial: '"default"' }),
    'ipam-opt': flag.list('Set IPAM driver specific options', { value: 'map' }),
    ipv4: flag.switch('Enable or disable IPv4 address assignment', { on: true }),
    ipv6: flag.switch('Enable or disable IPv6 address assignment'),
    label: flag.list('Set metadata on a network'),
    opt: flag.list('Set driver specific options', { short: 'o', value: 'map' }),
    scope: flag.text("Control the network's scope"),
    subnet: flag.list('Subnet in CIDR format that represents a network segment', { value: 'strings' }),
  },
  min: 1,
  max: 1,
  async run({ client, io }, { flags, args: [name = ''], given }) {
    const json = {
      Name: name,
      Driver: flags.driver ?? (flags['config-only'] ? '' : 'bridge'),
      Scope: flags.scope ?? '',
      ...(given.has('ipv4') && { EnableIPv4: flags.ipv4 }),
      ...(given.has('ipv6') && { EnableIPv6: flags.ipv6 }),
      IPAM: {
        Driver: flags['ipam-driver'] ?? 'default',
        Options: pairsOf(flags['ipam-opt']),
        Config: ipamConfig(flags),
      },
      Internal: flags.internal,
      Attachable: flags.attachable,
      Ingress: flags.ingress,
      ConfigOnly: flags['config-only'],
      ...(flags['config-from'] !== undefined && { ConfigFrom: { Network: flags['config-from'] } }),
      Options: pairsOf(flags.opt),
      Labels: pairsOf(flags.label),
    }
    const { Id, Warning } = await client.post<{ readonly Id: string; readonly Warning: string }>('/networks/create', {
      json,
    })
    if (Warning !== '') io.stderr.write(`WARNING: ${Warning}\n`)
    io.stdout.write(`${Id}\n`)
    return 0
  },
})

export const connectNetwork = command({
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Connect a container to a network',
  flags: {
    alias: flag.list('Add network-scoped alias for the container', { value: 'strings' }),
    'driver-opt': flag.list('Driver options for the network', { value: 'strings' }),
    'gw-priority': flag.number('Highest gw-priority provides the default gateway'),
    ip: flag.text('IPv4 address (e.g., "172.30.100.104")'),
    ip6: flag.text('IPv6 address (e.g., "2001:db8::33")'),
    link: flag.list('Add link to another container'),
    'link-local-ip': flag.list('Add a link-local address for the container', { value: 'strings' }),
  },
  min: 2,
  max: 2,
  async run({ client }, { flags, args: [network = '', container = ''] }) {
    const options = flags['driver-opt']
    if (options.some((option) => !option.includes('='))) {
      throw new CommandLineError('invalid key/value pair format in driver options', { exit: 1 })
    }
    const settings = {
      IPAMConfig: { IPv4Address: flags.ip ?? '', IPv6Address: flags.ip6 ?? '', LinkLocalIPs: flags['link-local-ip'] },
      Links: flags.link,
      Aliases: flags.alias,
      ...(options.length > 0 && { DriverOpts: pairsOf(options) }),
      GwPriority: flags['gw-priority'] ?? 0,
    }
    const json = { Container: container, EndpointConfig: settings }
    await client.post(`/networks/${encodeURIComponent(network)}/connect`, { json })
    return 0
  },
})

export const disconnectNetwork = command({
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Disconnect a container from a network',
  flags: { force: flag.switch('Force the container to disconnect from a network', { short: 'f' }) },
  min: 2,
  max: 2,
  async run({ client }, { flags, args: [network = '', container = ''] }) {
    const json = { Container: container, Force: flags.force }
    await client.post(`/networks/${encodeURIComponent(network)}/disconnect`, { json })
    return 0
  },
})

export const removeNetwork = command({
  usage: 'NETWORK [NETWORK...]',
  summary: 'Remove one or more networks',
  flags: { force: flag.switch('Do not error if the network does not exist', { short: 'f' }) },
  min: 1,
  async run({ client, io }, { flags, args }) {
    let exit = 0
    for (const name of args) {
      try {
        await client.delete(`/networks/${encodeURIComponent(name)}`)
        io.stdout.write(`${name}\n`)
      } catch (error) {
        if (!(error instanceof EngineError) || error.kind === 'unavailable') throw error
        if (flags.force && isKind(error, 'not-found')) continue
        io.stderr.write(`${complaint(error)}\n`)
        exit = 1
      }
    }
    if (exit !== 0) io.stderr.write(`exit status ${exit}\n`)
    return exit
  },
})
