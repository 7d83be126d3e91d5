import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const PROJECT = join(import.meta.dirname, '..', '..')

/** What the set-up made ready for the tests of the real kernel. */
export interface TestEnvironment {
  /** Base address of the registry that offers busybox and debian. */
  readonly registry: string
  /** A docker client. */
  readonly docker: string
  /** Root file systems as tars. */
  readonly busybox: string
  readonly debian: string
  /** The registry program, for a registry of the test's own. */
  readonly registryProgram: string
}

/** Out of the environment that npm test gives; run by hand, the set-up's own functions are asked (fast where all is there). */
export function testEnvironment(): TestEnvironment {
  const given = process.env['MICA_TEST_REGISTRY'] === undefined ? askSetup() : process.env
  const cache = process.env['MICA_CACHE'] ?? '/var/cache/mica'
  return {
    registry: need(given, 'MICA_TEST_REGISTRY'),
    docker: need(given, 'MICA_TEST_DOCKER'),
    busybox: need(given, 'MICA_TEST_BUSYBOX'),
    debian: need(given, 'MICA_TEST_DEBIAN'),
    registryProgram: join(cache, 'programs/registry/usr/bin/docker-registry'),
  }
}

/** True where `npm run soak` asks for the long counts. */
export function isSoak(): boolean {
  return process.env['MICA_SOAK'] !== undefined
}

function need(given: NodeJS.ProcessEnv, name: string): string {
  const value = given[name]
  if (value === undefined || value === '') throw new Error(`the test needs ${name}: run npm run setup first`)
  if (value.startsWith('/') && !existsSync(value)) throw new Error(`${name} names ${value}, which is not there`)
  return value
}

const ASK = `
  import { ensureImages } from './scripts/lib/images.mjs'
  import { ensureRegistry } from './scripts/lib/registry.mjs'
  import { dockerClient } from './scripts/lib/setup.mjs'
  const images = await ensureImages()
  const names = Object.fromEntries(images.map((image) => ['MICA_TEST_' + image.name.toUpperCase(), image.root]))
  const found = { MICA_TEST_REGISTRY: await ensureRegistry(), MICA_TEST_DOCKER: dockerClient(), ...names }
  process.stdout.write('\\n' + JSON.stringify(found))
`

function askSetup(): NodeJS.ProcessEnv {
  const answer = execFileSync(process.execPath, ['--input-type=module', '-e', ASK], { cwd: PROJECT, encoding: 'utf8' })
  return JSON.parse(answer.slice(answer.lastIndexOf('\n')))
}
