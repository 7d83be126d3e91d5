// npm run unit: the tests beside the sources and the architecture's. Words after it choose files by a part of their path.
import { script } from './lib/run.mjs'
import { createTally, unitFiles } from './lib/stages.mjs'

await script(async () => {
  const words = process.argv.slice(2)
  const tally = createTally()
  await tally.tests(
    'unit',
    unitFiles().filter((file) => words.length === 0 || words.some((word) => file.includes(word))),
  )
  tally.close()
})
