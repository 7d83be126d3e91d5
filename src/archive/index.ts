/**
 * archive: tar to entries and back, and the compressed forms around it; pure, without files or processes.
 * Reading: v7, ustar, PAX, GNU long names, base-256 numbers, sparse files, xattrs, bytes of names kept as they are;
 * malformed input ends in an error of kind `corrupt` and nothing else. Writing: deterministic, by a numbered rule set
 * that never changes. `TarReader` and `TarWriter` are synchronous, for jobs in workers; `readTar` and `writeTar` are
 * their asynchronous faces. Whether a path is safe to open is not decided here, but `componentsOfName` refuses those that leave
 * the root. Faster programs (igzip) are passed in as filters by those who may start them.
 */
export { type Filter, type Filters, compress, decompress, decompressForm, detectCompression } from './compression.ts'
export { componentsOfName, nameOfText, pathOfName, placeOfName, quoteName, textOfName } from './name.ts'
export { TarReader, type TarSink, type TarTap } from './reader.ts'
export { type TarMember, type TarSource, readTar, writeTar } from './stream.ts'
export { type KnownEntries, type StretchNotes, StretchTap, type TarStretch } from './stretch.ts'
export { TAR_RULES, TarWriter } from './writer.ts'
export type { Compression, RawName, SparseRange, TarEntry, TarInput, TarKind } from './types.ts'
