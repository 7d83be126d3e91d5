// dist/cli.image: the CLI as a start image of Node, so that a short command loads and compiles next to nothing
// (docs/decisions/022-a-start-image.md). Without it bin/mica runs dist/cli.js.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { packagedNode, project } from './place.mjs'
import { withStandIn } from './stand-in.mjs'

/** What bin/mica starts an image with; docs/decisions/022-a-start-image.md says why. */
const FLAGS = ['--no-rehash-snapshot', '--no-sparkplug', '--v8-pool-size=1']

/** Used once before any image is made. */
const SHORT = [
  'ps -a',
  'images',
  'version',
  'inspect name',
  'image inspect name',
  'start name',
  'stop name',
  'rm -f name',
]

/** The images, each with the commands that it has tried. `short` has those of bin/mica only, by their rooms. */
const IMAGES = {
  cli: { tried: [...SHORT, 'run -d --name name image true', '--help'] },
  short: {
    tried: SHORT,
    rooms: {
      '#cli/container': 'exec kill logs pause port ps rename restart rm start stop top unpause wait',
      '#cli/credential': '',
      '#cli/image': 'history images rmi tag',
      '#cli/system': 'info inspect inspectContainer inspectImage inspectNetwork inspectVolume networks version volumes',
    },
  },
}

/** Lets an image try Node's own way to `main` too, and its cache of numbers stay small. Another Node may refuse. */
const INSIDE = ['--expose-internals', '--max-semi-space-size=1']

/** Names of their files. */
export const startImages = Object.keys(IMAGES).map((name) => `${name}.image`)

/** Parts of Node that few commands use: in the image they would cost each start milliseconds. */
const LATER = new Set(['node:crypto', 'node:fs/promises', 'node:stream/promises', 'node:zlib'])

/** An import of such a part loads it at its first use. */
const later = {
  name: 'later',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path }) => (LATER.has(path) ? { path, namespace: 'later' } : undefined))
    build.onLoad({ filter: /./, namespace: 'later' }, ({ path }) => {
      const part = `new Proxy({}, { get: (_, name) => process.getBuiltinModule('${path}')[name] })`
      return { contents: `module.exports = Object.create(${part}, { __esModule: { value: true } })`, loader: 'js' }
    })
  },
}

/** Nothing is loaded later from an image: with plain imports the bundler leaves out what no command uses. */
const atOnce = {
  name: 'at-once',
  setup(build) {
    build.onLoad({ filter: /\/src\/cli\/.*\.ts$/ }, ({ path }) => {
      const imports = []
      const code = readFileSync(path, 'utf8').replace(/await import\('(.*?)'\)/g, (_, from) => {
        const name = `imported${imports.length}`
        imports.push(`import * as ${name} from '${from}'`)
        return name
      })
      return { contents: [code, ...imports].join('\n'), loader: 'ts' }
    })
  },
}

/** Of the rooms of commands these only; where another one is typed after all, the process becomes the CLI without an image. */
const commandsOnly = (rooms) => ({
  name: 'commands-only',
  setup(build) {
    build.onResolve({ filter: /./ }, ({ path, importer }) =>
      path in rooms && importer.endsWith('/cli/table.ts') ? { path, namespace: 'commands-only' } : undefined,
    )
    build.onLoad({ filter: /./, namespace: 'commands-only' }, ({ path }) => {
      const folder = join(project, 'src', path.slice(1))
      const all = [...readFileSync(join(folder, 'index.ts'), 'utf8').matchAll(/^export \{ (.*) \} from/gm)]
      const kept = rooms[path].split(' ')
      const others = all.flatMap(([, names]) => names.split(', ')).filter((name) => !kept.includes(name))
      const contents = `
        const start = () => process.execve(process.execPath, [process.execPath, '--', ...process.argv.slice(1)])
        export { ${kept.join(', ')} } from '${path}'
        ${others.map((name) => `export const ${name} = { start }`).join('\n')}`
      return { contents, resolveDir: folder }
    })
  },
})

/** Writes into the folder of a new bundle what the images are made of, the images, and which sources all came from. */
export async function bundleStartImages(esbuild, folder) {
  const inputs = new Set()
  for (const [name, { rooms }] of Object.entries(IMAGES)) {
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
      plugins: rooms ? [later, atOnce, commandsOnly(rooms)] : [later, atOnce],
    })
    // With one letter beyond ASCII all of the text would take two bytes a letter in the image.
    const code = outputFiles[0].text.replace(
      /[^\0-\x7f]/g,
      (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
    writeFileSync(join(folder, scriptOf(name)), code)
    for (const input of Object.keys(metafile.inputs)) inputs.add(input)
  }
  writeFileSync(join(folder, 'sources.sh'), freshness([...inputs]))
  await makeStartImages(folder)
}

const scriptOf = (name) => `${name}-ready.cjs`

/** By the Node that bin/mica starts, on the machine where it does. Where that can make none, there is none. */
export async function makeStartImages(folder) {
  const node = packagedNode()
  if (node === undefined) return
  for (const [name, { tried }] of Object.entries(IMAGES)) {
    const [script, image] = [join(folder, scriptOf(name)), join(folder, `${name}.image`)]
    if (existsSync(script)) await makeStartImage({ node, script, image, tried })
  }
}

async function makeStartImage({ node, script, image, tried }) {
  const words = ['--snapshot-blob', image, '--build-snapshot', script]
  const attempt = (flags) => withStandIn((socket) => make(node, [...flags, ...words, socket, ...tried]))
  const refusal = await attempt(INSIDE)
    .then((why) => (why === undefined ? why : attempt([])))
    .catch(({ message }) => message)
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
