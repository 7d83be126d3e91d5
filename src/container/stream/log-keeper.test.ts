import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { LogFiles } from './log-files.ts'
import { keepLog } from './log-keeper.ts'

/** A log of one file; `measured` counts how often its size was asked for. */
function logOf(folder: string) {
  const path = join(folder, 'log')
  writeFileSync(path, 'a')
  const counts = { measured: 0, rotated: 0 }
  const files: Pick<LogFiles, 'folder' | 'isBetween' | 'size' | 'trim' | 'rotate'> = {
    folder,
    isBetween: () => false,
    size: async () => {
      counts.measured += 1
      return statSync(path).size
    },
    trim: async () => undefined,
    rotate: () => {
      counts.rotated += 1
      writeFileSync(path, '')
    },
  }
  return { path, counts, files: files as LogFiles }
}

async function pass(milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 50) {
    mock.timers.tick(50)
    await turn()
    await turn()
  }
}

test('a log that stands still is measured now and again; one that has grown without a word is found', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mica-log-keeper-'))
  t.after(() => rmSync(folder, { recursive: true }))
  mock.timers.enable({ apis: ['setTimeout'] })
  t.after(() => mock.timers.reset())
  const { path, counts, files } = logOf(folder)
  const failed = mock.fn()
  // the folder is not there for a watch: as where inotify is silent
  const log = { ...files, folder: join(folder, 'gone') }
  using _keeper = keepLog({ files: log, maxSize: 10, reopen: () => true, failed })
  await pass(60_000)
  assert.ok(counts.measured <= 10, `${counts.measured} measurements in a minute`)
  appendFileSync(path, 'a line that is too long')
  await pass(12_000)
  assert.equal(counts.rotated, 1)
  assert.equal(failed.mock.callCount(), 0)
})
