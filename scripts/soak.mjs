// npm run soak: the long counts. Words after it choose files by a part of their path.
import { soak } from './lib/everything.mjs'
import { script } from './lib/run.mjs'

await script(() => soak(process.argv.slice(2)))
