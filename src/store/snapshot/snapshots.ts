import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { conflict, notFound } from '#base'
import { syncFileSystem } from '#kernel'
import type { ChainId } from '#oci'
import type { Lease } from '#store/lease'
import { copyFolderAttributes } from './attributes.ts'
import { createCollector, snapshotResource } from './collector.ts'
import { type DamageRecords, damaged, damageRecords } from './damage.ts'
import { viewMounts, writableMounts } from './mounts.ts'
import { reconcile } from './reconcile.ts'
import { parseSnapshotId, type SnapshotRecord, type SnapshotRecords, snapshotRecords } from './records.ts'
import { swapTree } from './swap.ts'
import { type Syncer, createSyncer } from './sync.ts'
import { type Trash, createTrash } from './trash.ts'
import type {
  ActiveSnapshot,
  FrozenSnapshot,
  OpenSnapshots,
  PrepareOptions,
  SealedSnapshot,
  SnapshotDamage,
  SnapshotId,
  SnapshotOptions,
  SnapshotState,
  Usage,
  ViewSnapshot,
} from './types.ts'

/** Opens the store's snapshots and puts right what a crash or a reboot left. */
export async function openSnapshots(options: SnapshotOptions): Promise<OpenSnapshots> {
  const { database, folder, jobs, log, bootId, clock } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const records = snapshotRecords(database, clock)
  const damages = damageRecords(database, clock)
  const trash = createTrash({ folder, database, jobs, log })
  await reconcile({ folder, records, damages, trash, log, bootId, keepStrays: options.keepStrays })
  const syncer = createSyncer({ folder, records, log })
  // a predecessor of the same boot may have left some
  syncer.request()
  return new SnapshotStore(options, { records, damages, trash, syncer })
}

interface Parts {
  readonly records: SnapshotRecords
  readonly damages: DamageRecords
  readonly trash: Trash
  readonly syncer: Syncer
}

class SnapshotStore implements OpenSnapshots {
  readonly #options: SnapshotOptions
  readonly #records: SnapshotRecords
  readonly #damages: DamageRecords
  readonly #trash: Trash
  readonly #syncer: Syncer
  readonly collector

  constructor(options: SnapshotOptions, { records, damages, trash, syncer }: Parts) {
    this.#options = options
    this.#records = records
    this.#damages = damages
    this.#trash = trash
    this.#syncer = syncer
    this.collector = createCollector(records, trash)
  }

  async prepare(
    key: string,
    parent: SnapshotId | undefined,
    lease: Lease,
    options: PrepareOptions = {},
  ): Promise<ActiveSnapshot> {
    if (options.onDamaged !== true) this.#assertWhole(parent)
    const record = this.#add('active', { key, parent, lease, volatile: options.volatile ?? false })
    try {
      this.#makeFolders(record)
    } catch (error) {
      this.#drop(record.id)
      throw error
    }
    return this.#active(record)
  }

  async place(
    key: string,
    parent: SnapshotId,
    lease: Lease,
    { keepRoot = false }: { readonly keepRoot?: boolean } = {},
  ): Promise<ActiveSnapshot> {
    this.#assertWhole(parent)
    const record = this.#records.findKey(key)
    if (record?.kind !== 'active') throw notFound('active snapshot', key)
    if (record.parent !== undefined || this.#get(parent).kind !== 'frozen')
      throw conflict(`cannot place snapshot ${key} on ${parent}`)
    if (!keepRoot) copyFolderAttributes(this.#path(parent, 'fs'), this.#path(record.id, 'fs'))
    const id = this.#records.place(record, parent)
    // in the same turn: no collection sees it unheld
    lease.hold(snapshotResource(id))
    if (id !== record.id) renameSync(this.#path(record.id), this.#path(id))
    return this.#active(this.#get(id))
  }

  async view(key: string, parent: SnapshotId, lease: Lease): Promise<ViewSnapshot> {
    this.#assertWhole(parent)
    const { id } = this.#add('view', { key, parent, lease, volatile: false })
    return { key, id, parent, mounts: viewMounts(this.#lowers(parent)) }
  }

  async reopen(key: string): Promise<ActiveSnapshot> {
    const record = this.#records.findKey(key)
    if (record?.kind !== 'active') throw notFound('active snapshot', key)
    if (record.volatile)
      rmSync(join(this.#path(record.id, 'work'), 'work', 'incompat'), { recursive: true, force: true })
    return this.#active(record)
  }

  async seal(frozen: FrozenSnapshot, chain: ChainId): Promise<SealedSnapshot> {
    const record = this.#get(frozen.id)
    if (record.kind !== 'frozen') throw conflict(`cannot seal snapshot ${frozen.id}: it is not frozen`)
    const first = this.#records.findChain(chain)
    if (first) {
      if (this.#damages.findIn([first.id])) await this.#replace(first.id, frozen.id)
      return { ...this.#frozen(first), chain }
    }
    if (record.chain !== undefined) throw conflict(`cannot seal snapshot ${frozen.id}: it is ${record.chain} already`)
    this.#records.name(frozen.id, chain)
    return { ...this.#frozen(record), chain }
  }

  async find(chain: ChainId): Promise<SealedSnapshot | undefined> {
    const record = this.#records.findChain(chain)
    if (!record || this.#damageOf(record.id)) return undefined
    return { ...this.#frozen(record), chain }
  }

  async get(id: SnapshotId): Promise<FrozenSnapshot & { readonly chain?: ChainId }> {
    const record = this.#get(id)
    return { ...this.#frozen(record), ...(record.chain === undefined ? {} : { chain: record.chain }) }
  }

  async lowers(id: SnapshotId, options: { readonly onDamaged?: boolean } = {}): Promise<readonly string[]> {
    this.#get(id)
    if (options.onDamaged !== true) this.#assertWhole(id)
    return this.#lowers(id)
  }

  async list(): Promise<readonly SnapshotState[]> {
    const known = new Map(this.#damages.list().map(({ id, why }) => [id, why]))
    return this.#records.list().map(({ id, kind, key, parent, chain }) => {
      const damage = known.get(id)
      return {
        id,
        kind,
        ...(key === undefined ? {} : { key }),
        ...(parent === undefined ? {} : { parent }),
        ...(chain === undefined ? {} : { chain }),
        ...(kind === 'view' ? {} : { folder: this.#path(id, 'fs') }),
        ...(damage === undefined ? {} : { damage }),
      }
    })
  }

  mark(id: SnapshotId, why: string): void {
    this.#damages.mark(id, why)
  }

  async removeStray(name: string): Promise<void> {
    const id = parseSnapshotId(name)
    if (id !== undefined && !this.#records.find(id)) await this.#trash.remove(id)
  }

  clear(id: SnapshotId): void {
    this.#records.markSynced([id])
    this.#damages.clear(id)
  }

  assertWhole(chain: ChainId): void {
    this.#assertWhole(this.#records.findChain(chain)?.id)
  }

  async usage(id: SnapshotId): Promise<Usage> {
    const record = this.#get(id)
    if (record.usage) return record.usage
    if (record.kind === 'view') return { size: 0, inodes: 0 }
    const usage = await this.#options.jobs.run<string, Usage>('tree.usage', this.#path(id, 'fs'), { lane: 'short' })
    // a tree that is still being written to the disk may yet take more or fewer blocks
    if (record.kind === 'frozen' && record.unsyncedBoot === undefined) this.#records.saveUsage(id, usage)
    return usage
  }

  async remove(key: string): Promise<void> {
    const record = this.#records.findKey(key)
    if (!record) return
    this.#drop(record.id)
  }

  async fork(source: SnapshotId, lease: Lease, signal?: AbortSignal): Promise<FrozenSnapshot> {
    const { parent } = this.#get(source)
    const copy = await this.prepare(`fork-of-${source}-for-${lease.id}`, parent, lease)
    try {
      const input = { from: this.#path(source, 'fs'), to: copy.upper }
      await this.#options.jobs.run<typeof input, void>('tree.copy', input, signal ? { signal } : {})
      return await copy.freeze()
    } catch (error) {
      await this.remove(copy.key)
      throw error
    }
  }

  sync(): Promise<void> {
    return this.#syncer.sync()
  }

  settle(): Promise<void> {
    return this.#trash.settle()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#trash.settle()
    await this.#syncer.close()
  }

  #add(
    kind: 'active' | 'view',
    {
      key,
      parent,
      lease,
      volatile,
    }: {
      readonly key: string
      readonly parent: SnapshotId | undefined
      readonly lease: Lease
      readonly volatile: boolean
    },
  ): SnapshotRecord {
    if (this.#records.findKey(key)) throw conflict(`cannot prepare snapshot ${key}: the key is in use`)
    if (parent !== undefined && this.#get(parent).kind !== 'frozen') {
      throw conflict(`cannot prepare snapshot ${key}: its parent ${parent} is not frozen`)
    }
    const unsynced = volatile ? { unsyncedBoot: this.#options.bootId } : {}
    const id = this.#records.add({ kind, key, parent, volatile, ...unsynced })
    // in the same turn: no collection sees it unheld
    lease.hold(snapshotResource(id))
    return this.#get(id)
  }

  #makeFolders({ id, parent }: SnapshotRecord): void {
    mkdirSync(this.#path(id), 0o700)
    mkdirSync(this.#path(id, 'fs'), 0o755)
    mkdirSync(this.#path(id, 'work'), 0o700)
    if (parent !== undefined) copyFolderAttributes(this.#path(parent, 'fs'), this.#path(id, 'fs'))
  }

  #active(record: SnapshotRecord): ActiveSnapshot {
    const { id, parent, key = '', volatile } = record
    const upper = this.#path(id, 'fs')
    const lowers = parent === undefined ? [] : this.#lowers(parent)
    const mounts = writableMounts(lowers, { upper, work: this.#path(id, 'work'), volatile })
    const whole = (): void => this.#assertWhole(parent)
    return {
      key,
      id,
      ...(parent === undefined ? {} : { parent }),
      // asked for to be mounted: a tree can be found damaged while another stands on it
      get mounts() {
        whole()
        return mounts
      },
      upper,
      freeze: () => this.#freeze(id),
    }
  }

  async #freeze(id: SnapshotId): Promise<FrozenSnapshot> {
    const record = this.#get(id)
    if (record.kind !== 'active') throw conflict(`cannot freeze snapshot ${id}: it is not active`)
    this.#records.freeze(id, this.#options.bootId)
    this.#syncer.request()
    await rm(this.#path(id, 'work'), { recursive: true, force: true })
    return this.#frozen(record)
  }

  #frozen({ id, parent }: SnapshotRecord): FrozenSnapshot {
    return { id, ...(parent === undefined ? {} : { parent }), upper: this.#path(id, 'fs') }
  }

  /** The damaged tree goes, the new one takes its place; children, names and mounts of containers stay as they are. */
  async #replace(id: SnapshotId, by: SnapshotId): Promise<void> {
    const from = await this.#looseTree(by)
    await this.#syncer.sync()
    const old = await swapTree(this.#options.folder, id, from)
    this.#records.forgetUsage(id)
    this.clear(id)
    this.#trash.later(this.#trash.release(old))
    if (!this.#records.hasChildren(by)) this.#drop(by)
  }

  /** The tree itself, or a copy where others stand on it already. */
  async #looseTree(id: SnapshotId): Promise<string> {
    const own = this.#path(id, 'fs')
    if (!this.#records.hasChildren(id)) return own
    const to = this.#path(id, 'copy')
    await rm(to, { recursive: true, force: true })
    mkdirSync(to, 0o755)
    copyFolderAttributes(own, to)
    await this.#options.jobs.run<object, void>('tree.copy', { from: own, to })
    await syncFileSystem(this.#options.folder)
    return to
  }

  #damageOf(id: SnapshotId): SnapshotDamage | undefined {
    return this.#damages.list().length === 0 ? undefined : this.#damages.findIn(this.#records.stack(id))
  }

  #assertWhole(id: SnapshotId | undefined): void {
    const damage = id === undefined ? undefined : this.#damageOf(id)
    if (damage) throw damaged(this.#records.find(damage.id), damage)
  }

  /** The record goes now, the bytes behind the caller's back once that is durable. */
  #drop(id: SnapshotId): void {
    this.#records.remove(id)
    this.#trash.later(this.#trash.remove(id))
  }

  #get(id: SnapshotId): SnapshotRecord {
    const record = this.#records.find(id)
    if (!record) throw notFound('snapshot', id)
    return record
  }

  #lowers(id: SnapshotId): string[] {
    return this.#records.stack(id).map((below) => this.#path(below, 'fs'))
  }

  #path(id: SnapshotId, part = ''): string {
    return join(this.#options.folder, id, part)
  }
}
