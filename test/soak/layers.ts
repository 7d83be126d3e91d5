import { checkLayers } from '#test/layer-property'
import { test } from 'node:test'

const COUNT = 20_000

test(`${COUNT} made-up layers keep to what a layer promises`, { timeout: 3 * 3_600_000 }, (context) => {
  const seed = Number(process.env['MICA_SEED'] ?? Date.now() % 2 ** 31)
  context.diagnostic(`seed ${seed}: ${JSON.stringify(checkLayers(COUNT, seed))}`)
})
