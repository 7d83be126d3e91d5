import type { ContainerRecord } from '#engine'
import { parseImageId } from '#oci'
import { parseCreate } from './create-request.ts'

/** A container that was created from `body` and has these facts. */
export function containerRecord(
  facts: Partial<ContainerRecord> = {},
  body: Readonly<Record<string, unknown>> = {},
): ContainerRecord {
  const request = parseCreate({ Image: 'busybox', ...body }, { name: 'web', platform: undefined })
  return {
    id: 'c'.repeat(64),
    name: 'web',
    image: parseImageId(`sha256:${'a'.repeat(64)}`),
    imageName: request.image,
    createdAt: 1_700_000_000_000_000_000n,
    request,
    path: 'sh',
    args: ['-c', "echo 'x'"],
    env: request.env,
    entrypoint: request.entrypoint,
    command: request.command,
    user: request.user ?? '',
    workingDir: request.workingDir ?? '',
    labels: request.labels,
    exposedPorts: request.exposedPorts,
    volumes: request.volumes,
    stopSignal: request.stopSignal ?? 'SIGTERM',
    hostname: request.hostname ?? 'cccccccccccc',
    mounts: [],
    state: 'created',
    pid: 0,
    exitCode: 0,
    error: '',
    startedAt: 0n,
    finishedAt: 0n,
    restartCount: 0,
    endpoints: [],
    ports: [],
    logPath: '/data/containers/cccc/log',
    ...facts,
  }
}
