import { createLog, systemClock } from '#base'
import type { Database } from '#store/db'
import { openDatabase } from '#store/db'
import { snapshotJobs } from '#store/snapshot'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { VolumeMounter, Volumes, VolumeTrees } from './types.ts'
import { openVolumes } from './volumes.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-volume-'))
after(() => rmSync(folder, { recursive: true }))

const context = { cancelled: () => false, report: () => undefined }

/** Mounts nothing. */
const idleMounter: VolumeMounter = {
  mount: async () => undefined,
  unmount: async () => undefined,
  isMounted: () => false,
}

/** The jobs of store/snapshot in the caller's thread. */
export const trees: VolumeTrees = {
  copy: async (from, to) => snapshotJobs['tree.copy']({ from, to }, context),
  isEmpty: async (path) => snapshotJobs['tree.isEmpty'](path),
  remove: async (path) => snapshotJobs['tree.remove'](path, context),
  usage: async (path) => snapshotJobs['tree.usage'](path, context).size,
}

export interface Bench {
  readonly root: string
  readonly database: Database
  /** «action id» of each event. */
  readonly events: string[]
  readonly warnings: string[]
  open(how?: {
    readonly trees?: VolumeTrees
    readonly database?: Database
    readonly mounter?: VolumeMounter
  }): Promise<Volumes>
}

export async function bench(): Promise<Bench> {
  const root = mkdtempSync(join(folder, 'root-'))
  const database = await openDatabase(join(root, 'engine.db'))
  after(() => database[Symbol.asyncDispose]())
  const events: string[] = []
  const warnings: string[] = []
  return {
    root,
    database,
    events,
    warnings,
    open: (how = {}) =>
      openVolumes({
        folder: join(root, 'volumes'),
        database: how.database ?? database,
        trees: how.trees ?? trees,
        mounter: how.mounter ?? idleMounter,
        events: { emit: (event) => void events.push(`${event.action} ${event.actor.id}`.trim()) },
        clock: systemClock(),
        log: createLog('warn', (line) => warnings.push(line)),
      }),
  }
}

export const volumeFolders = (at: Bench): string[] =>
  readdirSync(join(at.root, 'volumes')).filter((name) => name !== '_trash')
export const trash = (at: Bench): string[] => readdirSync(join(at.root, 'volumes/_trash'))
