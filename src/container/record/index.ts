/**
 * container/record: a container as data: requests merged with their image, names, states and what may follow on which, the stored
 * rows, and the one lock that changes of a container take. It promises that a row is whole or not there. Processes, mounts
 * and networks are not known here.
 */
export { createContainerLock } from './lock.ts'
export { mergeConfig, type MergedConfig, overlayEnv, processEnv } from './merge.ts'
export { checkName, randomName } from './names.ts'
export { type ContainerRecords, openRecords, type StoredContainer } from './records.ts'
export { parseSignal } from './signal.ts'
export { isLive, nextState } from './state.ts'
export { checkLines, checkNul, checkTexts } from './texts.ts'
export type {
  CommitRequest,
  Connection,
  ContainerLink,
  ContainerRecord,
  ContainerService,
  ContainerState,
  CreateRequest,
  ExecRecord,
  ExecRequest,
  ExecStartOptions,
  PathArchive,
  PathStat,
  UnpackRequest,
  WaitCondition,
} from './types.ts'
