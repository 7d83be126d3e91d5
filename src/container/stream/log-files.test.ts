import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { readLog } from './log-file.ts'
import { createLogFiles } from './log-files.ts'

function place(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mica-log-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return join(folder, 'log')
}

/** A writer as conmon is one: it goes on in the old file until it makes the new one. */
function writer(path: string) {
  let file = path
  let number = 0
  writeFileSync(path, '')
  return {
    write: () => appendFileSync(file, `2026-11-21T01:46:28Z stdout F line ${number++}\n`),
    /** It was told, and has not done it yet: what it writes goes to the file put aside. */
    setAside: (to: string): boolean => {
      file = to
      return true
    },
    follow: () => {
      file = path
      writeFileSync(path, '')
    },
  }
}

const LIMITS = { maxSize: 100, maxFiles: 3 }
const names = (path: string): readonly string[] => readdirSync(join(path, '..')).sort()

test('rotate() numbers files, trim() keeps so many, a new start goes on with the numbers', async (t) => {
  const path = place(t)
  const log = writer(path)
  const files = createLogFiles(path, LIMITS)
  for (let round = 0; round < 5; round += 1) {
    log.write()
    files.rotate(() => log.setAside(`${path}.${round}`))
    log.follow()
    await files.trim()
  }
  assert.deepEqual(names(path), ['log', 'log.3', 'log.4'])
  assert.equal(createLogFiles(path, LIMITS).newest, 5)
})

test('rotate() does nothing while the writer has not followed, and takes itself back where nobody can be told', (t) => {
  const path = place(t)
  const log = writer(path)
  const files = createLogFiles(path, LIMITS)
  files.rotate(() => false)
  assert.deepEqual([names(path), files.newest, files.isBetween()], [['log'], 0, false])
  files.rotate(() => log.setAside(`${path}.0`))
  files.rotate(() => assert.fail('it was told twice'))
  assert.deepEqual([names(path), files.newest, files.isBetween()], [['log.0'], 1, true])
  assert.equal(createLogFiles(path, LIMITS).isBetween(), true)
})

test('a reader who follows gets what is written between a rotation and the new file, and holds what it has not read', async (t) => {
  const path = place(t)
  const log = writer(path)
  const files = createLogFiles(path, LIMITS)
  const end = Promise.withResolvers<void>()
  let live = true
  const life = { isLive: () => live, ended: () => end.promise }
  const lines = readLog(files, { follow: true, stdout: true, stderr: true }, life)[Symbol.asyncIterator]()
  log.write()
  const heard: string[] = []
  const hear = async (): Promise<boolean> => {
    const { done, value } = await lines.next()
    if (!done) heard.push(Buffer.from(value.bytes).toString().trim())
    return done !== true
  }
  await hear()
  for (let round = 0; round < 10; round += 1) {
    log.write()
    files.rotate(() => log.setAside(`${path}.${round}`))
    log.write()
    await files.trim()
    log.follow()
    log.write()
    await files.trim()
  }
  assert.equal(existsSync(`${path}.0`), true)
  live = false
  end.resolve()
  while (await hear());
  assert.deepEqual(
    heard,
    Array.from({ length: 31 }, (_, index) => `line ${index}`),
  )
  assert.deepEqual(names(path), ['log', 'log.8', 'log.9'])
})
