import { startDaemon } from '#test/daemon'
import type { TestDaemon } from '#test/daemon'
import { testEnvironment } from '#test/environment'
import { watchLeftovers } from '#test/leftovers'
import type { Answer, Area } from '#test/lines'
import { answersFolder, clientMajor, readAreas, runArea } from '#test/lines'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, test } from 'node:test'

ownMountNamespace()

const DIFFERS = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'differs.md'), 'utf8')

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
const { docker } = testEnvironment()
const major = await clientMajor(docker)
const answers = answersFolder(major)
const isRecorded = (area: Area): boolean => existsSync(join(answers, `${area.name}.json`))
let daemon: TestDaemon

before(async () => {
  daemon = await startDaemon({ folder: folder.path })
  mkdirSync(folder.join('lines'))
})

after(async () => {
  await daemon.stop({ all: true })
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

function recorded(area: Area): readonly Answer[] {
  return JSON.parse(readFileSync(join(answers, `${area.name}.json`), 'utf8'))
}

for (const area of readAreas()) {
  const skip = isRecorded(area) ? false : `no answers are recorded through this docker CLI: ${basename(answers)}`
  test(`${area.lines.length} lines are answered as Docker answers them: ${area.name}`, { skip }, async (t) => {
    const expected = recorded(area)
    const given = await runArea(area, { docker, host: daemon.host, folder: folder.join('lines') })
    assert.deepEqual(
      area.lines.map(({ text }) => text),
      expected.map(({ line }) => line),
      'the lines changed since they were recorded: scripts/record-lines.mjs records them again',
    )
    for (const [index, { text, differs }] of area.lines.entries()) {
      const reason = differs.get(major) ?? differs.get('*')
      await t.test(text, () => {
        if (reason === undefined) return assert.deepEqual(given[index], expected[index])
        assert.ok(DIFFERS.includes(`(${reason})`), `docs/differs.md has no entry ${reason}`)
        assert.notDeepEqual(given[index], expected[index], `no longer differs: take «#differs ${reason}» away`)
      })
    }
  })
}
