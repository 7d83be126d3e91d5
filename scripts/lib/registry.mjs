// The stand-in for docker.io: Debian's registry program on a loopback port, offering the base images.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { ensureImages } from './images.mjs'
import { unpackedProgram } from './packages.mjs'
import { cache, running } from './place.mjs'
import { alive, end } from './process.mjs'
import { push, send } from './push.mjs'
import { background, Stop, until } from './run.mjs'

const WORD = 'docker-registry'
const state = join(running, 'registry.json')

/** Starts the registry where none runs and pushes what it lacks; answers its base address. */
export async function ensureRegistry() {
  const images = await ensureImages()
  const known = readState()
  if (known && alive(known.pid, WORD) && (await answers(known.base))) {
    if (known.images !== imagesKey(images)) await offer(known, images)
    return known.base
  }
  return offer(await start(await freePort(known?.port)), images)
}

async function offer(registry, images) {
  for (const image of images) await push(registry.base, image)
  writeState({ ...registry, images: imagesKey(images) })
  return registry.base
}

const imagesKey = (images) => images.map((image) => `${image.name} ${image.tags} ${image.digest}`).join(', ')

export async function stopRegistry() {
  const known = readState()
  if (!known) return false
  const there = alive(known.pid, WORD)
  await end(known.pid, WORD)
  // The port stays written: a daemon that was told it finds the next registry there.
  writeState({ port: known.port })
  return there
}

/** Starts the program and waits until it answers. */
async function start(port) {
  const program = unpackedProgram('registry')
  const base = `http://127.0.0.1:${port}`
  const config = join(running, 'registry.yml')
  mkdirSync(running, { recursive: true, mode: 0o700 })
  writeFileSync(config, settings(port))
  const log = join(running, 'registry.log')
  rmSync(log, { force: true })
  const pid = background(program, ['serve', config], { log, env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' } })
  if (!(await until(10, () => answers(base)))) {
    throw new Stop(
      `the stand-in registry did not start:\n${readFileSync(log, 'utf8').split('\n').slice(-6).join('\n')}`,
    )
  }
  return { pid, port, base }
}

function settings(port) {
  return `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: ${JSON.stringify(join(cache, 'registry'))}}
  delete: {enabled: true}
http: {addr: "127.0.0.1:${port}"}
`
}

async function answers(base) {
  try {
    return (await send('GET', `${base}/v2/`, { timeout: 2000 })).status === 200
  } catch {
    return false
  }
}

/** `wanted` where it is free, else any free port of the loopback. */
async function freePort(wanted = 0) {
  return (await tryPort(wanted)) ?? (await tryPort(0))
}

function tryPort(port) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const taken = server.address().port
      server.close(() => resolve(taken))
    })
  })
}

function readState() {
  try {
    return JSON.parse(readFileSync(state, 'utf8'))
  } catch {
    return undefined
  }
}

function writeState(value) {
  mkdirSync(running, { recursive: true, mode: 0o700 })
  writeFileSync(state, JSON.stringify(value))
}
