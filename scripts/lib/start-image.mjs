// dist/cli.image: the CLI as a start image of Node, so that a short command loads and compiles next to nothing
// (docs/decisions/022-a-start-image.md). Without it bin/mica runs dist/cli.js.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { packagedNode, project } from './place.mjs'
import { withStandIn } from './stand-in.mjs'

const SCRIPT = 'cli-ready.cjs'

/** What bin/mica starts an image with; docs/decisions/022-a-start-image.md says why. */
const FLAGS = ['--no-rehash-snapshot', '--no-sparkplug']

/** Parts of Node that few commands use: in the image they would cost each start milliseconds. */
const LATER = new Set(['node:crypto', 'node:fs/promises', 'node:stream/promises', 'node:zlib'])

/** An import of such a part loads it at its first use. */
const later = {
  name: 'later',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path }) => (LATER.has(path) ? { path, namespace: 'later' } : undefined))
    build.onLoad({ filter: /./, namespace: 'later' }, async ({ path }) => {
      const names = JSON.stringify(Object.keys(await import(path)))
      const get = `() => process.getBuiltinModule('${path}')[name]`
      return {
        contents: `for (const name of ${names}) Object.defineProperty(exports, name, { enumerable: true, get: ${get} })`,
        loader: 'js',
      }
    })
  },
}

/** Writes into the folder of a new bundle what an image is made of, the image, and which sources both came from. */
export async function bundleStartImage(esbuild, folder) {
  const { metafile, outputFiles } = await esbuild.build({
    entryPoints: [join(project, 'src/bin/cli-ready.ts')],
    write: false,
    outdir: folder,
    absWorkingDir: project,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    minify: true,
    legalComments: 'none',
    logLevel: 'silent',
    metafile: true,
    plugins: [later],
  })
  // With one letter beyond ASCII all of the text would take two bytes a letter in the image.
  const code = outputFiles[0].text.replace(
    /[^\0-\x7f]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  writeFileSync(join(folder, SCRIPT), code)
  writeFileSync(join(folder, 'sources.sh'), freshness(Object.keys(metafile.inputs)))
  await makeStartImage(folder)
}

/** By the Node that bin/mica starts, on the machine where it does. Where that can make none, there is none. */
export async function makeStartImage(folder) {
  const [script, image] = [join(folder, SCRIPT), join(folder, 'cli.image')]
  const node = packagedNode()
  if (node === undefined || !existsSync(script)) return
  const words = ['--snapshot-blob', image, '--build-snapshot', script]
  const refusal = await withStandIn((socket) => make(node, [...words, socket])).catch(({ message }) => message)
  if (refusal !== undefined) {
    process.stderr.write(`no start image of the CLI, it starts without: ${refusal}\n`)
    return rmSync(image, { force: true })
  }
  const whole = readFileSync(image)
  const short = withoutBuiltins(whole)
  if (short) writeFileSync(image, short)
  if (short && !starts(node, image)) writeFileSync(image, whole)
  if (!starts(node, image)) rmSync(image)
}

/** Resolves to why it could not be made, if so. */
async function make(node, words) {
  const child = spawn(node, words, { stdio: ['ignore', 'ignore', 'pipe'] })
  const [said, [status]] = await Promise.all([text(child.stderr), once(child, 'close')])
  return status === 0 ? undefined : said.trim().split('\n')[0]
}

function starts(node, image) {
  const { status, stdout } = spawnSync(node, [...FLAGS, '--snapshot-blob', image, 'cli.js', '--version'])
  return status === 0 && String(stdout).startsWith('mica version ')
}

/**
 * Node puts the compiled code of all its own modules behind what was asked for, and reads it at each start: half of the
 * file. It is a list to the end of the file: a count, then each name and code with its length in front (8 bytes, little
 * endian). Undefined where no such list ends the file.
 */
function withoutBuiltins(bytes) {
  const size = (at) => (at + 8 > bytes.length ? Number.NaN : Number(bytes.readBigUInt64LE(at)))
  const endsFile = (start) => {
    let at = start + 8
    for (let left = size(start); left > 0; left--) {
      for (const limit of [100, bytes.length]) {
        const length = size(at)
        if (!(length > 0 && length <= limit)) return false
        at += 8 + length
      }
    }
    return at === bytes.length
  }
  for (let at = bytes.length - 9; at >= 0; at--) {
    // A list of 64 to 1023 modules.
    if (bytes[at + 1] > 3 || bytes.readUIntLE(at + 2, 6) !== 0 || size(at) < 64 || !endsFile(at)) continue
    return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(8)])
  }
  return undefined
}

/** Lines for bin/mica, which knows `root`: they empty `stale` where none of these files is newer than the bundle. */
function freshness(inputs) {
  const files = inputs.filter((path) => path.startsWith('src/'))
  return [
    `for file in package.json scripts/lib/bundle.mjs scripts/lib/start-image.mjs ${files.join(' ')}; do`,
    '  [ "$root/$file" -nt "$root/dist/bundle-id" ] && return',
    'done',
    "stale=''",
    '',
  ].join('\n')
}
