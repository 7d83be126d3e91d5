// What npm test runs: the static stages, the unit tests, and the tests on a real kernel with a real registry and client.
import { ensureImages } from './images.mjs'
import { ensureRegistry } from './registry.mjs'
import { filesUnder } from './files.mjs'
import { say, Stop } from './run.mjs'
import { setUp } from './setup.mjs'
import { createTally, staticStages, unitFiles } from './stages.mjs'

export async function testEverything() {
  const { docker } = await setUp({ tests: true })
  const env = await testEnvironment(docker)
  const tally = createTally()
  await staticStages(tally)
  await tally.tests('unit', unitFiles())
  await privileged(
    tally,
    [...filesUnder('test/integration', '.test.ts'), ...filesUnder('test/conformance', '.test.ts')],
    env,
  )
  tally.close()
}

/** The long counts: what npm run soak runs. */
export async function soak(words) {
  const { docker } = await setUp({ tests: true })
  const env = { ...(await testEnvironment(docker)), MICA_SOAK: '1' }
  const tally = createTally()
  const files = [
    ...filesUnder('test/soak', '.ts'),
    ...filesUnder('test/integration', '.test.ts'),
    ...filesUnder('test/conformance', '.test.ts'),
  ]
  await privileged(
    tally,
    files.filter((file) => words.length === 0 || words.some((word) => file.includes(word))),
    env,
  )
  tally.close()
}

/**
 * What tests find in the environment: MICA_TEST_REGISTRY (base address of the stand-in with busybox and debian),
 * MICA_TEST_DOCKER (a docker client), MICA_TEST_BUSYBOX and MICA_TEST_DEBIAN (root file systems as tars).
 */
async function testEnvironment(docker) {
  const images = await ensureImages()
  return {
    MICA_TEST_REGISTRY: await ensureRegistry(),
    MICA_TEST_DOCKER: docker,
    ...Object.fromEntries(images.map((image) => [`MICA_TEST_${image.name.toUpperCase()}`, image.root])),
  }
}

/** One file after another, each in a mount namespace of its own. */
async function privileged(tally, files, env) {
  if (files.length > 0 && process.getuid() !== 0)
    throw new Stop('the integration tests mount and make namespaces: run them as root')
  for (const file of files) {
    say(`\n— ${file}`)
    await tally.tests(file, [file], { apart: true, concurrency: 1, env })
  }
}
