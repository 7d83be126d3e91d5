/**
 * network/filter: which packets reach containers. One nftables table of our own, whose chains are made once and whose sets
 * follow the networks and containers that are set here; accepts where another engine drops what is forwarded; and the
 * ports of the host that are published, held by sockets so that nobody else takes them. What others flush is set right as
 * soon as the kernel tells. It makes no links and knows no records.
 */
export { createFirewall } from './firewall.ts'
export { forwardsOf } from './forwards.ts'
export { createPorts, type Ports } from './ports.ts'
export type * from './types.ts'
