import { isKind } from '#base'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { openDatabase } from './database.ts'
import { databaseJobs } from './jobs.ts'
import { readBigInt, readBytes, readNumber, readOptionalText, readText } from './row.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-db-'))
after(() => rmSync(folder, { recursive: true }))

const fresh = (name: string): string => join(folder, `${name}.db`)
const TABLE = 'CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT, time INTEGER, bytes BLOB) STRICT'

test('openDatabase() keeps what was written over a close', async () => {
  const path = fresh('keeps')
  {
    await using database = await openDatabase(path)
    database.run(TABLE)
    assert.deepEqual(database.run('INSERT INTO thing (name) VALUES (?)', 'one'), { changes: 1, lastId: 1 })
    await database.flush()
  }
  await using database = await openDatabase(path, { create: false })
  assert.equal(readText(database.get('SELECT name FROM thing') ?? {}, 'name'), 'one')
})

test('read helpers give one type of each column, nanoseconds exactly', async () => {
  await using database = await openDatabase(fresh('types'))
  database.run(TABLE)
  const time = 1_790_000_000_123_456_789n
  database.run('INSERT INTO thing (id, name, time, bytes) VALUES (7, NULL, ?, ?)', time, Uint8Array.of(1, 2))
  const row = database.get('SELECT * FROM thing') ?? {}
  assert.equal(readNumber(row, 'id'), 7)
  assert.equal(readBigInt(row, 'id'), 7n)
  assert.equal(readBigInt(row, 'time'), time)
  assert.equal(readOptionalText(row, 'name'), undefined)
  assert.deepEqual(readBytes(row, 'bytes'), Uint8Array.of(1, 2))
  assert.throws(() => readNumber(row, 'time'), /no exact number/)
  assert.throws(() => readText(row, 'name'), /no text/)
})

test('transaction() is all or nothing', async () => {
  await using database = await openDatabase(fresh('atomic'))
  database.run(TABLE)
  const failing = (): void =>
    database.transaction(() => {
      database.run("INSERT INTO thing (name) VALUES ('lost')")
      throw new RangeError('between two steps')
    })
  assert.throws(failing, RangeError)
  assert.deepEqual(database.all('SELECT * FROM thing'), [])
})

test('transaction() takes back a nested one alone where the outer goes on', async () => {
  await using database = await openDatabase(fresh('nested'))
  database.run(TABLE)
  database.transaction(() => {
    database.run("INSERT INTO thing (name) VALUES ('outer')")
    assert.throws(() =>
      database.transaction(() => {
        database.run("INSERT INTO thing (name) VALUES ('inner')")
        throw new RangeError('inner')
      }),
    )
    database.transaction(() => database.run("INSERT INTO thing (name) VALUES ('second')"))
  })
  const names = database.all('SELECT name FROM thing ORDER BY id').map((row) => row['name'])
  assert.deepEqual(names, ['outer', 'second'])
})

test('transaction() refuses asynchronous work', async () => {
  await using database = await openDatabase(fresh('asynchronous'))
  assert.throws(() => database.transaction(async () => undefined), /must be synchronous/)
  assert.equal(
    database.transaction(() => 5),
    5,
  )
})

test('what was committed is there for another connection, what was not is not', async () => {
  const path = fresh('crash')
  await using database = await openDatabase(path)
  database.run(TABLE)
  const seen = (): number => {
    const other = new DatabaseSync(path)
    const count = other.prepare('SELECT count(*) AS count FROM thing').get()?.['count']
    other.close()
    return Number(count)
  }
  database.transaction(() => {
    database.run("INSERT INTO thing (name) VALUES ('a')")
    assert.equal(seen(), 0)
  })
  assert.equal(seen(), 1)
})

test('openDatabase() refuses a damaged, missing or newer file with a sentence', async () => {
  const damaged = fresh('damaged')
  writeFileSync(damaged, 'this is no database, though it is long enough to look at'.repeat(100))
  await assert.rejects(openDatabase(damaged), (error) => isKind(error, 'corrupt') && /damaged\.db/.test(error.message))

  await assert.rejects(openDatabase(fresh('gone'), { create: false }), (error) => isKind(error, 'corrupt'))

  const orphaned = fresh('orphaned')
  writeFileSync(`${orphaned}-wal`, 'x')
  await assert.rejects(openDatabase(orphaned), /file is missing, its log/)

  const newer = fresh('newer')
  await (await openDatabase(newer))[Symbol.asyncDispose]()
  const other = new DatabaseSync(newer)
  other.exec("INSERT INTO migration VALUES (999, 'future')")
  other.close()
  await assert.rejects(openDatabase(newer), (error) => isKind(error, 'unsupported') && /newer mica/.test(error.message))
})

test('a constraint that is broken is a conflict that names the statement', async () => {
  await using database = await openDatabase(fresh('constraint'))
  database.run(TABLE)
  database.run('INSERT INTO thing (id) VALUES (1)')
  assert.throws(
    () => database.run('INSERT INTO thing (id) VALUES (1)'),
    (error) => isKind(error, 'conflict') && /INSERT INTO thing/.test(error.message),
  )
})

test('checkpoints run as jobs while the connection goes on writing', async () => {
  const path = fresh('checkpoint')
  const ran: string[] = []
  const pool = {
    async run<Input, Output>(job: string, input: Input): Promise<Output> {
      ran.push(job)
      const table: Record<string, (input: string) => void> = databaseJobs
      return table[job]?.(String(input)) as Output
    },
  }
  {
    await using database = await openDatabase(path, { pool })
    database.run(TABLE)
    for (let id = 1; id <= 1200; id += 1) database.run('INSERT INTO thing (id) VALUES (?)', id)
    await database.flush()
  }
  assert.ok(ran.filter((job) => job === 'db.checkpoint').length >= 2)
  const before = ran.length
  await using database = await openDatabase(path, { pool })
  assert.equal(ran.length, before, 'to open it takes no worker: an idle daemon would keep that')
  assert.equal(readNumber(database.get('SELECT count(*) AS count FROM thing') ?? {}, 'count'), 1200)
})
