import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isKind } from '#base'
import { openKeptDatabase } from './kept.ts'
import { readText } from './row.ts'
import { sealDatabase } from './seal.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-kept-'))
after(() => rmSync(folder, { recursive: true }))

const CREATED = 'INSERT INTO volume (name, created_at, labels, options, anonymous) VALUES (?, 1, ?, ?, 0)'

/** A database with so many volumes; sealed unless a kill is asked for. */
async function made(name: string, { volumes = 3, sealed = true } = {}): Promise<string> {
  const path = join(folder, `${name}.db`)
  {
    await using database = (await openKeptDatabase(path)).database
    for (let n = 0; n < volumes; n += 1) database.run(CREATED, `volume-${n}`, 'x'.repeat(500), '{}')
  }
  if (sealed) await sealDatabase(path)
  return path
}

async function reopened(path: string): Promise<{ names: string[]; damage: readonly string[]; incomplete: boolean }> {
  const { database, damage, incomplete } = await openKeptDatabase(path, { create: false })
  const names = database.all('SELECT name FROM volume ORDER BY name').map((row) => readText(row, 'name'))
  await database[Symbol.asyncDispose]()
  await sealDatabase(path)
  return { names, damage, incomplete }
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at)
  writeFileSync(path, bytes)
}

const ALL = ['volume-0', 'volume-1', 'volume-2']

test('openKeptDatabase() puts the copy in the place of a file that changed while it was closed', async () => {
  for (const [name, damage] of [
    ['flipped', (path: string): void => flip(path, readFileSync(path).indexOf('volume-1'))],
    ['cut', (path: string): void => truncateSync(path, 5000)],
    ['gone', (path: string): void => rmSync(path)],
  ] as const) {
    const path = await made(name)
    damage(path)
    const found = await reopened(path)
    assert.deepEqual(found.names, ALL, name)
    assert.equal(found.incomplete, false)
    assert.match(found.damage.join('\n'), /is damaged: .*its copy is whole/s)
    assert.equal(readdirSync(folder).filter((file) => file.startsWith(`${name}.db.damaged-`)).length, 1)
    assert.deepEqual((await reopened(path)).damage, [], 'the next start finds nothing')
  }
})

test('of file, copy and sum two decide: a damaged copy or sum is made anew', async () => {
  for (const part of ['copy', 'sum']) {
    const path = await made(`third-${part}`)
    flip(`${path}.${part}`, 7)
    assert.deepEqual(await reopened(path), { names: ALL, damage: [], incomplete: false })
    assert.deepEqual(readFileSync(path), readFileSync(`${path}.copy`))
  }
})

test('openKeptDatabase() takes over what can be read of a file that was not closed', async () => {
  const path = await made('torn', { volumes: 400, sealed: false })
  const bytes = readFileSync(path)
  const at = bytes.indexOf('volume-200') & ~0xfff
  bytes.fill(0xa5, at, at + 4096)
  writeFileSync(path, bytes)
  const { names, damage, incomplete } = await reopened(path)
  assert.equal(incomplete, true)
  assert.ok(names.length > 300 && names.length < 400, `${names.length} of 400 were taken over`)
  assert.match(damage.join('\n'), /records of volume cannot be read/)
})

test('openKeptDatabase() begins anew where nothing can be read, and refuses what a newer mica has used', async () => {
  const path = await made('noise', { sealed: false })
  writeFileSync(path, Buffer.alloc(9000, 'no database'))
  assert.deepEqual((await reopened(path)).names, [])
  {
    await using database = (await openKeptDatabase(path)).database
    database.run(`INSERT INTO migration VALUES (999, 'future')`)
  }
  await sealDatabase(path)
  await assert.rejects(openKeptDatabase(path), (error) => isKind(error, 'unsupported'))
  assert.ok(existsSync(path))
})
