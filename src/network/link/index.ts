/**
 * network/link: links, addresses and routes of the kernel by rtnetlink, and addresses as values. Every call is made in the
 * network namespace of its socket. It promises that nothing waits on the main thread: what does is async. It knows nothing
 * of networks, containers or records.
 */
export {
  type Address,
  type Block,
  contains,
  type Family,
  formatAddress,
  formatBlock,
  lastOf,
  macOf,
  networkOf,
  overlaps,
  parseAddress,
  parseBlock,
  readBlock,
} from './address.ts'
export {
  addAddress,
  addBridge,
  addDefaultRoute,
  addUpper,
  addVeth,
  closePort,
  deleteAddress,
  deleteDefaultRoutes,
  deleteLink,
  findLink,
  ipvlanData,
  listAddresses,
  listLinks,
  listRoutes,
  macvlanData,
  openHairpin,
  setAddressless,
  setMaster,
  setUp,
  vlanData,
} from './links.ts'
export { type LinkFacts, openRoutes } from './rtnetlink.ts'
export { setSetting, withoutIpv6 } from './settings.ts'
