// The base images, made once and kept in the cache: a layer as tar and a description beside it.
import { createHash } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { busyboxLayer } from './busybox.mjs'
import { debianRecipe, hostArchive, makeDebian } from './debian.mjs'
import { unpackedProgram } from './packages.mjs'
import { cache } from './place.mjs'
import { say } from './run.mjs'

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const EPOCH = 1_735_689_600 // 2025-01-01: files and images carry it, so that making them again gives the same digests
const CREATED = new Date(EPOCH * 1000).toISOString().replace('.000Z', 'Z')
const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' }

const folder = join(cache, 'images')

/** Makes what is missing; answers the images as { name, tags, layer (path of the gzip), diffId, digest, size, config }. */
export async function ensureImages() {
  mkdirSync(folder, { recursive: true })
  return [await ensureBusybox(), await ensureDebian()]
}

async function ensureBusybox() {
  const program = unpackedProgram('busybox')
  const recipe = `busybox 1 ${statSync(program).size} ${statSync(program).mtimeMs}`
  return ensureImage({ name: 'busybox', recipe, tags: ['latest'], command: ['sh'] }, (target) => {
    say('making the base image busybox')
    writeFileSync(target, busyboxLayer(program, EPOCH))
  })
}

async function ensureDebian() {
  const { suite, version } = hostArchive()
  const image = { name: 'debian', recipe: debianRecipe(), tags: ['latest', suite, version], command: ['bash'] }
  return ensureImage(image, (target) => makeDebian(target, EPOCH))
}

async function ensureImage({ name, recipe, tags, command }, make) {
  const key = createHash('sha256').update(recipe).digest('hex').slice(0, 12)
  const layer = join(folder, `${name}-${key}.tar`)
  const description = join(folder, `${name}-${key}.json`)
  if (!existsSync(description) || !existsSync(layer)) {
    if (!existsSync(layer)) make(layer)
    writeDescription(description, await describe(layer, name, command))
  }
  return {
    name,
    tags: [...new Set(tags)],
    root: layer,
    layer: `${layer}.gz`,
    ...JSON.parse(readFileSync(description, 'utf8')),
  }
}

function writeDescription(path, value) {
  writeFileSync(`${path}.${process.pid}`, JSON.stringify(value))
  renameSync(`${path}.${process.pid}`, path)
}

async function describe(layer, name, command) {
  const temporary = `${layer}.gz.${process.pid}`
  await pipeline(createReadStream(layer), createGzip({ level: 6 }), createWriteStream(temporary))
  renameSync(temporary, `${layer}.gz`)
  const diffId = await digestOf(layer)
  const config = JSON.stringify({
    created: CREATED,
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: 'linux',
    config: { Env: [PATH], Cmd: command },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [
      { created: CREATED, created_by: `/bin/sh -c #(nop) ADD file:${diffId.slice(7, 71)} in / ` },
      { created: CREATED, created_by: `/bin/sh -c #(nop)  CMD ${JSON.stringify(command)}`, empty_layer: true },
    ],
  })
  return { image: name, diffId, digest: await digestOf(`${layer}.gz`), size: statSync(`${layer}.gz`).size, config }
}

async function digestOf(path) {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}
