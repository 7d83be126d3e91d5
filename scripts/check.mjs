// npm run check: types, lint, format, dead code, unit, architecture: before every commit. --all is what npm test runs.
import { installModules } from './lib/modules.mjs'
import { script } from './lib/run.mjs'
import { createTally, staticStages, unitFiles } from './lib/stages.mjs'
import { testEverything } from './lib/everything.mjs'

await script(async () => {
  if (process.argv.includes('--all')) return await testEverything()
  installModules()
  const tally = createTally()
  await staticStages(tally)
  await tally.tests('unit', unitFiles())
  tally.close()
})
