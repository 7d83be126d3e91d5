/**
 * transfer: images between registries, archives and the store: pull, push, save, load, import. It promises that a
 * blob is fetched once however many ask for it, that a cut download goes on from the bytes that came, that nothing
 * is kept that does not match its digest, that an archive is read as a stream and never unpacked by its paths, and
 * that what was pulled goes out with the digest it came with. Protocol belongs to `registry`, formats to `oci` and
 * `archive`, what is kept to `store`.
 */
export { createTransfer } from './transfer.ts'
export type * from './types.ts'
