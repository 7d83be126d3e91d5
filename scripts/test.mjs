// npm test: the set-up, then every test with small counts.
import { testEverything } from './lib/everything.mjs'
import { script } from './lib/run.mjs'

await script(testEverything)
