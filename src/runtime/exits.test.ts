import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Exits, openExits } from './exits.ts'

/** Where the clock stands still: what is heard of then is heard of by inotify. */
interface Scene {
  readonly exits: Exits
  readonly folder: string
  /** As a monitor does it. */
  readonly leave: (id: string, text: string) => void
}

function scene(t: TestContext): Scene {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const top = mkdtempSync(join(tmpdir(), 'mica-exits-'))
  const folder = join(top, 'exit')
  const exits = openExits(folder)
  // what is watched keeps no process running
  const awake = setTimeout(() => undefined, 60_000)
  t.after(() => {
    clearTimeout(awake)
    exits[Symbol.dispose]()
    rmSync(top, { recursive: true })
  })
  const leave = (id: string, text: string): void => {
    writeFileSync(join(top, 'new'), text)
    renameSync(join(top, 'new'), join(folder, id))
  }
  return { exits, folder, leave }
}

test('an exit that is there is had at once, with its time', async (t) => {
  const { exits, folder, leave } = scene(t)
  assert.equal(exits.find('a'), undefined)
  const other = exits.wait('other')
  leave('a', '7\n')
  // inotify has told of the first too then
  leave('other', '0')
  await other
  const { mtimeNs: at } = statSync(join(folder, 'a'), { bigint: true })
  assert.deepEqual(
    [exits.find('a'), await exits.wait('a')],
    [
      { code: 7, at },
      { code: 7, at },
    ],
  )
  leave('b', 'nonsense')
  assert.equal((await exits.wait('b')).code, 255)
})

test('who waits hears of an exit as it comes, each of its own', async (t) => {
  const { exits, leave } = scene(t)
  const waits = ['a', 'a', 'b'].map((id) => exits.wait(id))
  leave('b', '2')
  leave('a', '1')
  assert.deepEqual(
    (await Promise.all(waits)).map(({ code }) => code),
    [1, 1, 2],
  )
})

test('an exit that inotify does not tell of is found by looking', async (t) => {
  const { exits, folder, leave } = scene(t)
  const waiting = exits.wait('a')
  // another folder in the place of the one that is watched
  renameSync(folder, `${folder}-before`)
  t.mock.timers.tick(1000)
  mkdirSync(folder)
  leave('a', '3')
  t.mock.timers.tick(1000)
  assert.equal((await waiting).code, 3)
})

test('a wait that is given up ends with the reason, and hears of no exit', async (t) => {
  const { exits, leave } = scene(t)
  const [early, late] = [new AbortController(), new AbortController()]
  early.abort('early')
  await assert.rejects(exits.wait('a', early.signal), (reason) => reason === 'early')
  const given = exits.wait('a', late.signal)
  const kept = exits.wait('a')
  late.abort('late')
  await assert.rejects(given, (reason) => reason === 'late')
  leave('a', '0')
  assert.equal((await kept).code, 0)
})
