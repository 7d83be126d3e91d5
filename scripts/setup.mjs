// npm run setup: everything that mica needs on this machine, fetched or built where it is missing. Idempotent.
import { script, say } from './lib/run.mjs'
import { setUp } from './lib/setup.mjs'

await script(async () => {
  await setUp({ client: process.argv.includes('--client') })
  say('mica is set up')
})
