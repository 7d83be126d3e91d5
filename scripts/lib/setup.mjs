// The set-up that npm start, npm test and npm run setup share: fast when there is nothing to do.
import { ensureBundle } from './bundle.mjs'
import { ensureImages } from './images.mjs'
import { installModules } from './modules.mjs'
import { installPackages, unpackedProgram } from './packages.mjs'
import { Stop, which } from './run.mjs'

/** Answers { bundle (its identity) }; with `tests` what the tests want is made ready too, and `docker` is the path of a client. */
export async function setUp({ tests = false } = {}) {
  if (process.platform !== 'linux')
    throw new Stop('mica runs on Linux: it is made of its mounts, namespaces and cgroups')
  installModules()
  installPackages({ tests })
  unpackedProgram('registry')
  await ensureImages()
  const bundle = await ensureBundle()
  return { bundle, docker: tests ? dockerClient() : undefined }
}

/** @public The machine's docker client, else the client alone out of Debian's package. */
export function dockerClient() {
  return which('docker') ?? unpackedProgram('docker')
}
