import type { Clock } from '#base'
import { shortId } from '#base'
import type { Database, Row } from '#store/db'
import { readText } from '#store/db'
import assert from 'node:assert/strict'
import type { Lease, Leases, Resource, ResourceKind } from './types.ts'

/** `run` names this run of the daemon (an id made at its start): the leases of other runs are removed here. */
export function createLeases(options: {
  readonly database: Database
  readonly clock: Clock
  readonly run: string
}): Leases {
  const { database, clock, run } = options
  database.run('DELETE FROM lease WHERE run <> ?', run)
  return {
    async open(purpose) {
      const id = shortId()
      database.run(
        'INSERT INTO lease (id, run, purpose, created_at) VALUES (?, ?, ?, ?)',
        id,
        run,
        purpose,
        clock.nanoseconds(),
      )
      return createLease(database, id)
    },
    list: () =>
      database.all('SELECT id, purpose FROM lease ORDER BY created_at, id').map((row) => ({
        id: readText(row, 'id'),
        purpose: readText(row, 'purpose'),
        resources: database
          .all('SELECT kind, id FROM lease_resource WHERE lease = ?', readText(row, 'id'))
          .map(resourceOf),
      })),
    held: () => database.all('SELECT DISTINCT kind, id FROM lease_resource').map(resourceOf),
  }
}

function createLease(database: Database, id: string): Lease {
  let open = true
  const holdOne = (resource: Resource): void => {
    database.run(
      'INSERT OR IGNORE INTO lease_resource (lease, kind, id) VALUES (?, ?, ?)',
      id,
      resource.kind,
      resource.id,
    )
  }
  return {
    id,
    hold(...resources) {
      assert(open, `lease ${id} has ended and holds nothing`)
      if (resources.length === 1) resources.forEach(holdOne)
      else database.transaction(() => resources.forEach(holdOne))
    },
    async [Symbol.asyncDispose]() {
      if (!open) return
      open = false
      database.run('DELETE FROM lease WHERE id = ?', id)
    },
  }
}

function resourceOf(row: Row): Resource {
  return { kind: kindOf(readText(row, 'kind')), id: readText(row, 'id') }
}

const KINDS: readonly ResourceKind[] = ['blob', 'ingest', 'snapshot', 'image', 'cache']

function kindOf(text: string): ResourceKind {
  const kind = KINDS.find((known) => known === text)
  assert(kind, `a lease holds a resource of unknown kind ${text}`)
  return kind
}
