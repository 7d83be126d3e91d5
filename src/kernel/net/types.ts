/** A netlink socket in the network namespace in which it was opened. */
export interface NetlinkSocket extends Disposable {
  /**
   * Sends one message (nlmsghdr and payload; sequence and acknowledge flag are filled in) and gives all replies, each with
   * its header. An error of the kernel is a SystemCallError with the kernel's own words.
   */
  request(message: Uint8Array): readonly Buffer[]
  /** The same off the main thread: deleting a link waits for the kernel for milliseconds. */
  requestAsync(message: Uint8Array): Promise<readonly Buffer[]>
  /** One transaction of nf_tables (protocol 12): all messages are carried out, or none and the error of one is thrown. */
  transact(messages: readonly Uint8Array[]): void
}
