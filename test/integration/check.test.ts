import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { checkScene, type CheckScene, damageBlobs, damageOne, names } from '#test/check-scene'
import type { Choose, Done } from '#test/damage'
import { isSoak } from '#test/environment'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'

ownMountNamespace()

const DAMAGES = isSoak() ? 200 : 12

test('each damaged file of the store is named, repaired, and never run', { timeout: 3_600_000 }, async (context) => {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  {
    await using scene = await checkScene(folder.path)
    const before = new Map(await scene.read())
    assert.ok([...before.values()].every((text) => text !== undefined))
    assert.deepEqual((await scene.check()).damages, [])
    const counts = new Map<string, number>()
    for (let n = 0; n < DAMAGES; n += 1) {
      for (const key of await damageAndHeal(scene, before, randomly)) counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    report(context, counts)
  }
  await leftovers.assertNothingLeft()
})

const KILLS = isSoak() ? 20 : 2

test('kill -9 in the middle of a repair loses nothing', { timeout: 3_600_000 }, async () => {
  using folder = temporary()
  const leftovers = watchLeftovers(folder.path)
  {
    await using scene = await checkScene(folder.path)
    const before = new Map(await scene.read())
    for (let n = 0; n < KILLS; n += 1) {
      // what was only built cannot be had again: blobs and trees that came from a registry can
      const done = await damageBlobs(scene, 3, randomly)
      await scene.repairAndKill(randomly(400))
      const { summary, repairs } = await scene.check(true)
      assert.equal(summary.Left, 0, `${JSON.stringify(done)}: ${JSON.stringify(repairs)}`)
      assert.deepEqual((await scene.check()).damages, [])
      assert.deepEqual(new Map(await scene.read()), before, JSON.stringify(done))
    }
  }
  await leftovers.assertNothingLeft()
})

const randomly: Choose = (count) => Math.floor(Math.random() * count)

/** What happened, in words to be counted. */
async function damageAndHeal(
  scene: CheckScene,
  before: Map<string, string | undefined>,
  choose: Choose,
): Promise<readonly string[]> {
  const done = await damageOne(scene, choose)
  const what = `${done.kind} ${done.path}`
  const found = await scene.check()
  // of the database, its copy and its sum any one is made again out of the others
  const isCopy = /engine\.db\.(copy|sum)$/.test(done.path)
  // a tree that is gone as a whole is unpacked again by a start, where its blob is kept
  const isBack = done.path.endsWith('/fs') && existsSync(done.path)
  assert.ok(isCopy || isBack || names(found, done), `${what} was not named: ${JSON.stringify(found.damages)}`)
  assertRight(await scene.read(), before, what)
  const repaired = await scene.check(true)
  assert.equal(repaired.summary.Left, 0, `${what}: ${JSON.stringify(repaired.repairs)}`)
  const dropped = repaired.repairs.some(({ Outcome }) => Outcome === 'dropped')
  // built again its files have the times of now
  if (dropped) before.set('built', await scene.rebuild())
  assert.deepEqual((await scene.check()).damages, [], what)
  const after = await scene.read()
  assertRight(after, before, what)
  for (const [image, text] of after) assert.ok(text !== undefined, `${what}: ${image} cannot be run after the repair`)
  return [done.kind, placeOf(done), ...repaired.repairs.map(({ Outcome, Damage }) => `${Outcome} ${Damage.Kind}`)]
}

/** A container was refused, or read what it should. */
function assertRight(
  read: ReadonlyMap<string, string | undefined>,
  before: ReadonlyMap<string, string | undefined>,
  what: string,
): void {
  for (const [image, text] of read) {
    if (text !== undefined) assert.equal(text, before.get(image), `${what}: ${image} has other files`)
  }
}

function placeOf({ path }: Done): string {
  return /engine\.db|content|snapshots/.exec(path)?.[0] ?? path
}

function report(context: TestContext, counts: ReadonlyMap<string, number>): void {
  const text = [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, count]) => `${key}: ${count}`)
  context.diagnostic(text.join(', '))
}
