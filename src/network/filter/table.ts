import { type Element, elementCommands } from './element.ts'

const NAMES = 'type ifname'
const SETS: readonly string[] = [
  // Links of all networks; those of networks without a way out, without traffic inside, without translation.
  `set bridges { ${NAMES}; }`,
  `set internal { ${NAMES}; }`,
  `set closed { ${NAMES}; }`,
  `set same { ${NAMES} . ifname; }`,
  ...[4, 6].flatMap((family) => {
    const address = `ipv${family}_addr`
    const port = 'inet_proto . inet_service'
    return [
      `set routed${family} { ${NAMES}; }`,
      `set unprotected${family} { ${NAMES}; }`,
      `set subnets${family} { type ${address}; flags interval; }`,
      `set masquerade${family} { type ${address}; flags interval; }`,
      `map source${family} { type ${address} : ${address}; flags interval; }`,
      `map everywhere${family} { type ${port} : ${address} . inet_service; }`,
      `map published${family} { type ${address} . ${port} : ${address} . inet_service; }`,
      `set open${family} { type ${address} . ${port}; }`,
      `set links${family} { type ${address} . ${address} . ${port}; }`,
    ]
  }),
]

/**
 * Chain → its lines. They are made once; what networks and containers come and go changes sets and maps only.
 *
 * `martians`: nothing that comes over a link may pretend to be, or reach, the loopback, which route_localnet of our
 * bridges would allow (CVE-2020-8558).
 * `publish`: a host's address and port become a container's. Not for link-local senders of IPv6, who could not be
 * answered, nor for ::1, which the kernel does not translate.
 * `entering`: into a network come answers and what was translated to a published port; directly, only into routed ones.
 * Between networks that holds too. `within` is met by packets between ports of one bridge where the kernel shows bridged
 * packets to the filter.
 * `postrouting`: a container that asks for a published port, and the host that asks over its loopback, come from the
 * bridge's address, so that the answer finds its way; all others keep theirs.
 */
const CHAINS: Readonly<Record<string, readonly string[]>> = {
  martians: [
    'type filter hook prerouting priority raw; policy accept;',
    'iifname != "lo" ip daddr 127.0.0.0/8 drop',
    'iifname @bridges ip saddr 127.0.0.0/8 drop',
  ],
  publish: [
    'dnat ip to ip daddr . meta l4proto . th dport map @published4',
    'meta nfproto ipv4 dnat ip to meta l4proto . th dport map @everywhere4',
    'ip6 saddr fe80::/10 return',
    'ip6 daddr ::1 return',
    'dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6',
    'meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @everywhere6',
  ],
  prerouting: ['type nat hook prerouting priority dstnat; policy accept;', 'fib daddr type local jump publish'],
  output: ['type nat hook output priority -100; policy accept;', 'fib daddr type local jump publish'],
  published: [
    'ip daddr . meta l4proto . th dport @open4 accept',
    'ip6 daddr . meta l4proto . th dport @open6 accept',
    'drop',
  ],
  routed: ['meta l4proto { icmp, icmpv6 } accept', 'goto published'],
  within: [
    'iifname != @closed accept',
    'ct state established,related accept',
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept',
    'ct status dnat goto published',
    'ip saddr . ip daddr . meta l4proto . th dport @links4 accept',
    'ip6 saddr . ip6 daddr . meta l4proto . th dport @links6 accept',
    'drop',
  ],
  entering: [
    'oifname @internal drop',
    'iifname @internal drop',
    'ct state established,related accept',
    'ct status dnat goto published',
    'meta nfproto ipv4 oifname @routed4 goto routed',
    'meta nfproto ipv6 oifname @routed6 goto routed',
    'iifname @bridges drop',
    'meta nfproto ipv4 oifname @unprotected4 accept',
    'meta nfproto ipv6 oifname @unprotected6 accept',
    'drop',
  ],
  forward: [
    'type filter hook forward priority filter; policy accept;',
    'iifname . oifname @same goto within',
    'oifname @bridges goto entering',
    'iifname @internal drop',
  ],
  postrouting: [
    'type nat hook postrouting priority srcnat; policy accept;',
    'oifname @bridges ct status dnat ip saddr 127.0.0.0/8 masquerade',
    'oifname @bridges ct status dnat ip saddr @subnets4 masquerade',
    'oifname @bridges ct status dnat ip6 saddr @subnets6 masquerade',
    'oifname @bridges return',
    'snat ip to ip saddr map @source4',
    'ip saddr @masquerade4 masquerade',
    'snat ip6 to ip6 saddr map @source6',
    'ip6 saddr @masquerade6 masquerade',
  ],
}

/** The rules that the table has, by chain: without the line that hooks a chain. */
export const RULES_PER_CHAIN: ReadonlyMap<string, number> = new Map(
  Object.entries(CHAINS).map(([name, lines]) => [name, lines.filter((line) => !line.startsWith('type ')).length]),
)

/** One transaction that replaces our table by a new one with these elements; nobody sees a moment without it. */
export function tableCommands(table: string, elements: readonly Element[]): string {
  const chains = Object.entries(CHAINS).map(([name, lines]) => `chain ${name} {\n${lines.join('\n')}\n}`)
  const body = [...SETS, ...chains].join('\n')
  return `table inet ${table}\ndelete table inet ${table}\ntable inet ${table} {\n${body}\n}\n${elementCommands('add', table, elements)}`
}
