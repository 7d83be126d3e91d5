// After an installation: the start images of the CLI, made by the Node that was installed with it.
import { makeStartImages } from './lib/start-image.mjs'
import { dist } from './lib/place.mjs'
import { script } from './lib/run.mjs'

await script(() => makeStartImages(dist))
