/**
 * network: where containers get their place in networks: bridges of the engine and of users, macvlan, ipvlan, `host` and `none`; a
 * network namespace for each container, links, addresses and routes by rtnetlink; published ports and who reaches whom by
 * `network/filter`, names by `switchboard`. Records come first, so that after a crash whatever was left is found and undone.
 * It touches nothing else of the host's network but accepts where another engine drops what is forwarded.
 */
export { plainAttach } from './attach-request.ts'
export { type NetworksOptions, openNetworks } from './networks.ts'
export type * from './types.ts'
