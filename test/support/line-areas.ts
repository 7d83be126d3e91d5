import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import { watchLeftovers } from '#test/leftovers'
import type { Answer, Area } from '#test/lines'
import { answersFolder, readAreas, runArea } from '#test/lines'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, test } from 'node:test'

const DIFFERS = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'differs.md'), 'utf8')

interface Client {
  readonly program: string
  /** Of the docker client whose recorded answers are wanted. */
  readonly major: string
  /** Who the marks of a line speak of, the nearest first. */
  readonly marks: readonly string[]
  /** Takes out what this client says otherwise in every line. */
  readonly settle: (answer: Answer) => Answer
}

/** Declares a test for each area: its lines through this client, against a daemon of mica's, and what a real Docker answered. */
export function testAreas({ program, major, marks, settle }: Client): void {
  const folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  const answers = answersFolder(major)
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

  for (const area of readAreas()) {
    const place = join(answers, `${area.name}.json`)
    const skip = existsSync(place) ? false : `no answers are recorded through this docker CLI: ${basename(answers)}`
    test(`${area.lines.length} lines are answered as Docker answers them: ${area.name}`, { skip }, async (t) => {
      const expected = recorded(place).map(settle)
      const given = await runArea(area, { docker: program, host: daemon.host, folder: folder.join('lines') })
      assertSameLines(area, expected)
      for (const [index, { text, differs }] of area.lines.entries()) {
        const answer = given[index] && settle(given[index])
        const reason = marks.map((mark) => differs.get(mark)).find((found) => found !== undefined)
        await t.test(text, () => {
          if (reason === undefined) return assert.deepEqual(answer, expected[index])
          assert.ok(DIFFERS.includes(`(${reason})`), `docs/differs.md has no entry ${reason}`)
          assert.notDeepEqual(answer, expected[index], `no longer differs: take «#differs ${reason}» away`)
        })
      }
    })
  }
}

function recorded(place: string): readonly Answer[] {
  return JSON.parse(readFileSync(place, 'utf8'))
}

function assertSameLines(area: Area, expected: readonly Answer[]): void {
  assert.deepEqual(
    area.lines.map(({ text }) => text),
    expected.map(({ line }) => line),
    'the lines changed since they were recorded: scripts/record-lines.mjs records them again',
  )
}
