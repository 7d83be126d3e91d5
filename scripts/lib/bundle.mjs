// dist/: the bundle that bin/mica and the daemon run. Rebuilt when a source is newer.
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { dist, modules, project } from './place.mjs'
import { Stop } from './run.mjs'
import { bundleStartImages, startImages } from './start-image.mjs'

const ENTRIES = ['cli', 'daemon', 'worker', 'switchboard']
const identity = join(dist, 'bundle-id')

/** Builds where needed; answers the bundle's identity, a hash of its files. */
export async function ensureBundle() {
  if (!isCurrent()) await build()
  return readFileSync(identity, 'utf8')
}

function isCurrent() {
  if (!existsSync(identity)) return false
  const built = statSync(identity).mtimeMs
  const inputs = [
    join(project, 'package.json'),
    join(project, 'scripts/lib/bundle.mjs'),
    join(project, 'scripts/lib/start-image.mjs'),
  ]
  if (inputs.some((file) => statSync(file).mtimeMs > built)) return false
  return !sources(join(project, 'src')).some((path) => statSync(path).mtimeMs > built)
}

/** Folders too: a file that went away changes its folder. */
function sources(folder) {
  const found = [folder]
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) found.push(...sources(path))
    else if (!entry.name.endsWith('.test.ts')) found.push(path)
  }
  return found
}

export async function build() {
  const esbuild = await loadEsbuild()
  const entryPoints = ENTRIES.map((name) => join(project, 'src/bin', `${name}.ts`)).filter(existsSync)
  const temporary = mkdtempSync(join(project, '.dist-'))
  try {
    await esbuild.build({
      entryPoints,
      outdir: temporary,
      absWorkingDir: project,
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node24',
      // Loaded at run time: koffi by its path, undici only for TLS and proxies.
      external: ['koffi', 'undici'],
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: 'none',
      logLevel: 'silent',
      // Packages that were written for `require` ask for it inside a module.
      banner: {
        js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
      },
    })
    writeFileSync(join(temporary, 'package.json'), '{"type":"module"}\n')
    writeFileSync(join(temporary, 'bundle-id'), hashOf(temporary))
    await bundleStartImages(esbuild, temporary)
    replaceDist(temporary)
  } catch (error) {
    if (!error.errors) throw error
    const first = error.errors.slice(0, 5).map(({ text, location }) => `  ${location?.file}:${location?.line}: ${text}`)
    throw new Stop(`the bundle cannot be built:\n${first.join('\n')}`)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

async function loadEsbuild() {
  try {
    return await import(join(modules, 'esbuild/lib/main.js'))
  } catch (error) {
    throw new Stop(`the bundle cannot be built: ${error.message}; npm run setup installs what is missing`)
  }
}

/** A daemon that runs may still load parts of the old bundle: they stay until the build after the next. */
function replaceDist(built) {
  mkdirSync(dist, { recursive: true })
  const fresh = new Set(readdirSync(built))
  const before = existsSync(identity) ? statSync(identity).mtimeMs : 0
  for (const name of readdirSync(dist)) {
    const path = join(dist, name)
    if (!fresh.has(name) && name.endsWith('.js') && statSync(path).mtimeMs < before - 10_000)
      rmSync(path, { force: true })
  }
  for (const name of startImages) if (!fresh.has(name)) rmSync(join(dist, name), { force: true })
  for (const name of fresh) if (name !== 'bundle-id') renameSync(join(built, name), join(dist, name))
  renameSync(join(built, 'bundle-id'), identity)
}

function hashOf(folder) {
  const hash = createHash('sha256')
  for (const name of readdirSync(folder).sort()) hash.update(name).update(readFileSync(join(folder, name)))
  return hash.digest('hex').slice(0, 16)
}
