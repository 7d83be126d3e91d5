// npm run setup: everything that mica needs on this machine, fetched or built where it is missing. Idempotent.
// `-- --tests`: what the tests want besides.
import { script, say } from './lib/run.mjs'
import { setUp } from './lib/setup.mjs'

await script(async () => {
  await setUp({ tests: process.argv.includes('--tests') })
  say('mica is set up')
})
