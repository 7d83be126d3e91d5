/**
 * kernel/net: sockets that Node cannot make (netlink, packet, seqpacket, ones of another namespace), ports held without a
 * listener, and nftables by its own program: sessions, lists, news of changes. It promises replies as the kernel gave them.
 * How netlink messages are
 * put together stands here; what is said in them is the matter of the rooms that speak.
 */
export { addressBytes, bindInetSocket, connectInetSocket } from './inet-socket.ts'
export type { NetlinkSocket } from './types.ts'
export { openNetlink } from './netlink.ts'
export {
  netfilterMessage,
  netfilterNested,
  netlinkAttribute,
  netlinkMessage,
  netlinkNested,
  netlinkText,
  readNetlinkAttributes,
} from './netlink-message.ts'
export { type NftChange, watchNft } from './nft-watch.ts'
export { listNft, type NftSession, openNft, runNft } from './nft.ts'
export { readTaggedPackets } from './packet.ts'
export { holdPort } from './port-hold.ts'
export { relay } from './relay.ts'
export {
  connectSeqpacket,
  type DescriptorListener,
  listenForDescriptor,
  setTerminalSize,
  shutdownWrite,
} from './socket.ts'
