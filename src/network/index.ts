/**
 * network: where containers get their place in a network: the default bridge, `host` and `none`; a network namespace, a
 * veth pair and an address per container by rtnetlink; one packet filter table of our own, and accepts where another
 * engine drops what is forwarded. Records come first, so that after a crash whatever was left is found and undone.
 * It touches nothing else of the host's network. Published ports and networks of a user's own come later.
 */
export { plainAttach } from './attach-request.ts'
export { type NetworksOptions, openNetworks } from './networks.ts'
export type * from './types.ts'
