/** What was asked for of a container's resolv.conf; empty lists leave the host's. */
export interface DnsFacts {
  readonly servers: readonly string[]
  /** «.» alone: none. */
  readonly search: readonly string[]
  readonly options: readonly string[]
}

/** Whose servers are reached: the host's own network, a network of its own, or one in which 127.0.0.11 answers. */
export type Reach = 'host' | 'own' | 'internal'

/** Where a resolver of the host only listens on its own loopback, a network of its own cannot reach it. */
const PUBLIC_SERVERS = ['8.8.8.8', '8.8.4.4']

interface Settings {
  readonly servers: readonly string[]
  readonly search: readonly string[]
  readonly options: readonly string[]
  /** Lines of other kinds. */
  readonly others: readonly string[]
}

/** A resolv.conf by Docker's rules, with its remarks on where the settings come from. `host`: the text of the host's. */
export function resolverText(host: string, asked: DnsFacts, reach: Reach): string {
  const given = parse(host)
  const servers = asked.servers.length > 0 ? asked.servers : given.servers
  const search = asked.search.length > 0 ? asked.search.filter((domain) => domain !== '.') : given.search
  const options = asked.options.length > 0 ? asked.options : given.options
  const reachable = reach === 'own' && asked.servers.length === 0 ? servers.filter((one) => !isLoopback(one)) : servers
  const own =
    reach === 'internal' ? ['127.0.0.11'] : reachable.length > 0 ? reachable : reach === 'own' ? PUBLIC_SERVERS : []
  const dots = reach === 'internal' && !options.some(isDots) ? ['ndots:0'] : []
  return [
    '# Written by mica at each start of the container. Changes made in between are kept until then.',
    '',
    ...own.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length + dots.length > 0 ? [`options ${[...options, ...dots].join(' ')}`] : []),
    ...given.others,
    '',
    ...remarks({ asked, reach, options, servers, defaults: own === PUBLIC_SERVERS }),
  ]
    .map((line) => `${line}\n`)
    .join('')
}

interface Remarked {
  readonly asked: DnsFacts
  readonly reach: Reach
  readonly options: readonly string[]
  readonly servers: readonly string[]
  /** None of the host's servers can be reached. */
  readonly defaults: boolean
}

/** In the form that tools read which look for the servers behind 127.0.0.11. */
function remarks({ asked, reach, options, servers, defaults }: Remarked): readonly string[] {
  const how = { host: '', own: ' (legacy)', internal: ' (internal resolver)' }[reach]
  const outside = servers.map((server) => (asked.servers.length > 0 ? server : `host(${server})`))
  const overrides = [
    ...(asked.servers.length > 0 ? ['nameservers'] : []),
    ...(asked.search.length > 0 ? ['search'] : []),
    ...(asked.options.length > 0 ? ['options'] : []),
  ]
  const dots = asked.options.some(isDots) ? 'override' : options.some(isDots) ? 'host' : 'internal'
  return [
    `# Based on host file: '/etc/resolv.conf'${how}`,
    ...(defaults ? ['# Used default nameservers.'] : []),
    ...(reach === 'internal' ? [`# ExtServers: [${outside.join(' ')}]`] : []),
    `# Overrides: [${overrides.join(' ')}]`,
    ...(reach === 'internal' || dots !== 'internal' ? [`# Option ndots from: ${dots}`] : []),
  ]
}

function parse(text: string): Settings {
  const found = { servers: [] as string[], search: [] as string[], options: [] as string[], others: [] as string[] }
  for (const line of text.split('\n')) {
    const [key = '', ...values] = line.trim().split(/\s+/)
    if (key === '' || key.startsWith('#') || key.startsWith(';')) continue
    if (key === 'nameserver') found.servers.push(...values.slice(0, 1))
    else if (key === 'search' || key === 'domain') found.search = values
    else if (key === 'options') found.options.push(...values)
    else found.others.push(line.trim())
  }
  return found
}

function isLoopback(server: string): boolean {
  return server.startsWith('127.') || server === '::1'
}

function isDots(option: string): boolean {
  return option.startsWith('ndots:')
}
