// npm run build: the bundle in dist/, anew; with --if-stale only where a source is newer.
import { build, ensureBundle } from './lib/bundle.mjs'
import { script } from './lib/run.mjs'

await script(process.argv.includes('--if-stale') ? ensureBundle : build)
