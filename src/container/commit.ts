import { formatTime } from '#base'
import { familiarReference, formatImageConfig, parseReference } from '#oci'
import type { HistoryEntry, ImageConfig, ImageId, RunConfig } from '#oci'
import type { Lease } from '#store/lease'
import type { FrozenSnapshot, SnapshotId } from '#store/snapshot'
import type { CommitRequest, ContainerRecord } from '#container/record'
import { emitEvent } from './parts.ts'
import type { Parts } from './parts.ts'

/** Of the tar of nothing: two blocks of zeros. As with Docker a container without changes adds no layer. */
const EMPTY_LAYER = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef'

/** An image of a container's changes: its writable layer copied as one more layer, its settings as the image's. */
export async function commitContainer(parts: Parts, request: CommitRequest, signal?: AbortSignal): Promise<ImageId> {
  const stored = parts.records.resolve(request.container)
  const { record } = stored
  await using lease = await parts.leases.open(`commit container ${record.id}`)
  lease.hold({ kind: 'image', id: record.image })
  const base = await parts.images.open(record.image)
  const config = parts.applyChanges(configOf(record, base.config.config), request.changes)
  const frozen = await copyChanges(parts, { record, pause: request.pause, snapshot: stored.snapshot }, lease, signal)
  const layer = await parts.layers.diff(frozen, lease, { signal })
  const isEmpty = layer.diffId === EMPTY_LAYER
  if (!isEmpty) await parts.layers.adopt(frozen, base.chain, layer)
  const facts = { created: formatTime(parts.clock.nanoseconds()), ...(request.author && { author: request.author }) }
  const whole: ImageConfig = {
    ...base.config,
    ...facts,
    config,
    rootfs: { type: 'layers', diff_ids: [...base.config.rootfs.diff_ids, ...(isEmpty ? [] : [layer.diffId])] },
    history: [...base.config.history, { ...historyOf(record, request, facts), ...(isEmpty && { empty_layer: true }) }],
  }
  const image = await parts.images.create(formatImageConfig(whole), { parent: record.image }, lease)
  const attributes = { ...config.Labels, name: image.id }
  parts.events.emit({ type: 'image', action: 'create', actor: { id: image.id, attributes } })
  const name = request.name ? parseReference(request.name) : undefined
  if (name) await parts.images.tag(name, image.id)
  emitEvent(parts, 'commit', record, {
    comment: request.comment ?? '',
    imageID: image.id,
    ...(name && { imageRef: familiarReference(name) }),
  })
  return image.id
}

/** As Docker: «created by» is the command, without the entrypoint. */
function historyOf(record: ContainerRecord, request: CommitRequest, facts: HistoryEntry): HistoryEntry {
  const command = (record.command ?? []).join(' ')
  return { ...facts, created_by: command, ...(request.comment && { comment: request.comment }) }
}

interface Source {
  readonly record: ContainerRecord
  readonly pause: boolean
  readonly snapshot: string
}

/** A running container stands still while its files are copied, so that they belong together. */
async function copyChanges(
  parts: Parts,
  { record, pause, snapshot }: Source,
  lease: Lease,
  signal: AbortSignal | undefined,
): Promise<FrozenSnapshot> {
  const stop = pause && record.state === 'running'
  if (stop) {
    await parts.runtime.pause(record.id)
    emitEvent(parts, 'pause', record)
  }
  try {
    return await parts.snapshots.fork(snapshot as SnapshotId, lease, signal)
  } finally {
    if (stop) {
      await parts.runtime.resume(record.id)
      emitEvent(parts, 'unpause', record)
    }
  }
}

/** The container's settings, and what it has from its image without ever merging it. */
function configOf(record: ContainerRecord, base: RunConfig): RunConfig {
  const healthcheck = record.request.healthcheck ?? base.Healthcheck
  return {
    User: record.user,
    ...(record.exposedPorts.length > 0 && { ExposedPorts: setOf(record.exposedPorts) }),
    Env: record.env,
    Cmd: record.command ?? null,
    ...(healthcheck && { Healthcheck: healthcheck }),
    ...(record.volumes.length > 0 && { Volumes: setOf(record.volumes) }),
    WorkingDir: record.workingDir,
    Entrypoint: record.entrypoint ?? null,
    Labels: record.labels,
    ...(base.Shell && { Shell: base.Shell }),
    ...(record.stopSignal !== 'SIGTERM' && { StopSignal: record.stopSignal }),
  }
}

function setOf(names: readonly string[]): Readonly<Record<string, Record<string, never>>> {
  return Object.fromEntries(names.map((name) => [name, {}]))
}
