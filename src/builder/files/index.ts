/**
 * builder/files: the file work of builds, as synchronous jobs for worker threads: what the sources of COPY and ADD
 * mean in a folder, the hash of what they hold, the copy into a root, contexts received and archives unpacked. It promises
 * that nothing outside the source folder is read and nothing outside the root is touched, whatever links and names
 * are there, and that an unchanged file costs one stat. What is to be copied, and when, the builder decides.
 */
export { guessCopy, placeOfSource } from './copy-guess.ts'
export { DIGESTS_FORM } from './file-digests.ts'
export { builderJobs, hashReceived } from './jobs.ts'
export type {
  CopyInput,
  CopyOutput,
  ForetellInput,
  Head,
  HeadOutput,
  OpenInput,
  SourceInput,
  TextsInput,
} from './jobs.ts'
export type { ForetoldCopy } from './foretold-copy.ts'
export type { ForeseenLayer } from './foreseen-layer.ts'
export type { CompleteInput } from './known-files.ts'
export { walksBeside } from './known-walks.ts'
export type { KnownInput } from './known-layer.ts'
export { receiveContext } from './receive.ts'
export type { ReceiveInput, ReceiveOutput } from './receive.ts'
export { isSecondWriterWanted } from './second-writer.ts'
export type { WriteInput } from './second-writer.ts'
