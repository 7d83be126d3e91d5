import { invalid, notFound } from '#base'
import { readNumber, readText } from '#store/db'
import type { Database } from '#store/db'
import type { ContainerRecord } from './types.ts'

/** What is stored of a container besides what inspect shows. */
export interface StoredContainer {
  readonly record: ContainerRecord
  /** The store's id of its writable snapshot, whose key is the container's id. */
  readonly snapshot: string
  /** A start is under way: after a crash it is undone, or found to have happened. */
  readonly starting: boolean
}

/** All containers, in memory and in the database; each change is in the database first. */
export interface ContainerRecords {
  /** `also` runs in the same transaction. */
  add(stored: StoredContainer, also?: () => void): void
  update(id: string, change: Partial<ContainerRecord>, starting?: boolean): ContainerRecord
  /** `also` runs in the same transaction. */
  remove(id: string, also?: () => void): void
  find(id: string): StoredContainer | undefined
  /** By id, name (with or without a slash) or unique prefix of the id; `not-found` and `invalid` in Docker's words. */
  resolve(name: string): StoredContainer
  findName(name: string): string | undefined
  /** Oldest first. */
  all(): readonly StoredContainer[]
}

export function openRecords(database: Database): ContainerRecords {
  const known = new Map(readAll(database).map((stored) => [stored.record.id, stored]))
  const names = new Map([...known.values()].map(({ record }) => [record.name, record.id]))
  const get = (id: string): StoredContainer => {
    const stored = known.get(id)
    if (!stored) throw notFound('container', id)
    return stored
  }
  return {
    add(stored, also) {
      const { record, snapshot } = stored
      database.transaction(() => {
        database.run(
          'INSERT INTO container (id, name, image, snapshot, starting, record) VALUES (?, ?, ?, ?, 0, ?)',
          record.id,
          record.name,
          record.image,
          snapshot,
          encode(record),
        )
        also?.()
      })
      known.set(record.id, stored)
      names.set(record.name, record.id)
    },
    update(id, change, starting) {
      const before = get(id)
      const record = { ...before.record, ...change }
      const after = { ...before, record, starting: starting ?? before.starting }
      database.run(
        'UPDATE container SET name = ?, starting = ?, record = ? WHERE id = ?',
        record.name,
        Number(after.starting),
        encode(record),
        id,
      )
      known.set(id, after)
      names.delete(before.record.name)
      names.set(record.name, id)
      return record
    },
    remove(id, also) {
      const { record } = get(id)
      database.transaction(() => {
        database.run('DELETE FROM container WHERE id = ?', id)
        also?.()
      })
      known.delete(id)
      names.delete(record.name)
    },
    find: (id) => known.get(id),
    findName: (name) => names.get(name),
    resolve: (name) => resolveIn({ known, names }, name),
    all: () => [...known.values()],
  }
}

interface Known {
  readonly known: ReadonlyMap<string, StoredContainer>
  /** Ids by name. */
  readonly names: ReadonlyMap<string, string>
}

function resolveIn({ known, names }: Known, name: string): StoredContainer {
  const plain = name.replace(/^\//, '')
  const id = names.get(plain) ?? linkedAs({ known, names }, plain) ?? ''
  const stored = known.get(name) ?? known.get(id) ?? byPrefix(known, name)
  if (!stored) throw notFound('container', name)
  return stored
}

/** «web/db»: what a link of one container leads to. */
function linkedAs({ known, names }: Known, name: string): string | undefined {
  const at = name.indexOf('/')
  if (at < 0) return undefined
  const owner = known.get(names.get(name.slice(0, at)) ?? '')
  return owner?.record.links?.find(({ alias }) => alias === name.slice(at + 1))?.container
}

function byPrefix(known: ReadonlyMap<string, StoredContainer>, prefix: string): StoredContainer | undefined {
  if (!/^[0-9a-f]{1,64}$/.test(prefix)) return undefined
  const found = [...known.keys()].filter((id) => id.startsWith(prefix))
  if (found.length > 1) throw invalid(`multiple IDs found with provided prefix: ${prefix}`)
  return known.get(found[0] ?? '')
}

function readAll(database: Database): readonly StoredContainer[] {
  return database
    .all('SELECT snapshot, starting, record FROM container')
    .map((row) => ({
      record: decode(readText(row, 'record')),
      snapshot: readText(row, 'snapshot'),
      starting: readNumber(row, 'starting') !== 0,
    }))
    .toSorted((one, other) => (one.record.createdAt < other.record.createdAt ? -1 : 1))
}

/** Times are 64 bits, JSON numbers are not: they are kept as texts under their names. */
const TIMES: ReadonlySet<string> = new Set(['createdAt', 'startedAt', 'finishedAt'])

function encode(record: ContainerRecord): string {
  return JSON.stringify(record, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
}

function decode(text: string): ContainerRecord {
  const value: unknown = JSON.parse(text, (key, part: unknown) => (TIMES.has(key) ? BigInt(String(part)) : part))
  return completed(value as ContainerRecord)
}

/** Records of earlier versions lack what was added since. */
function completed(record: ContainerRecord): ContainerRecord {
  const request = { ...LATER.request, ...record.request }
  const endpoints = record.endpoints.map((endpoint) => ({ ...LATER.endpoint, ...endpoint }))
  return { ...LATER.record, ...record, request, endpoints }
}

const LATER = {
  record: { ports: [] },
  request: {
    networks: [],
    publishAll: false,
    links: [],
    dns: { servers: [], search: [], options: [] },
    extraHosts: [],
  },
  endpoint: { aliases: [], links: [], dnsNames: [], gwPriority: 0, driverOptions: {} },
} as const
