// npm run build: the bundle in dist/, anew.
import { build } from './lib/bundle.mjs'
import { script } from './lib/run.mjs'

await script(build)
