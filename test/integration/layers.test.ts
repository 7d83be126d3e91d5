import { checkLayers } from '#test/layer-property'
import assert from 'node:assert/strict'
import { test } from 'node:test'

const COUNT = Number(process.env['MICA_COUNT'] ?? 500)

test(`${COUNT} made-up layers keep to what a layer promises`, (context) => {
  const tally = checkLayers(COUNT, Number(process.env['MICA_SEED'] ?? 1))
  context.diagnostic(JSON.stringify(tally))
  assert.ok(tally.applied > COUNT / 10 && tally.refused > COUNT / 10 && tally.listed > COUNT / 10)
})
