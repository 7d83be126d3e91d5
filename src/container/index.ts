/**
 * container: a container's record and its states, and everything a client does with one: create, start, stop, wait, logs,
 * attach, exec, diff, commit, export. It joins root, network, volumes and runtime, and takes all of it apart again; the
 * record comes first, so that after a crash what was half done is undone or finished, and what runs is watched again.
 * Streams are held by the monitor, not here: containers run on while the daemon is away. Requests are checked by `api`.
 */
export { type OpenContainers, openContainers } from './containers.ts'
export { containerJobs } from '#container/files'
export type { MountPoint, MountRequest } from '#container/mount'
export type { LogConfig, LogLine, LogOptions } from '#container/stream'
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
} from '#container/record'
