import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import { type Outcome, runProgram, type RunOptions } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

ownMountNamespace()

const PROJECT = join(import.meta.dirname, '..', '..')
const folder = temporary()
const leftovers = watchLeftovers(folder.path)
const installed = folder.join('node_modules/mica')
let daemon: TestDaemon

/** `bin/mica` of the installed package. */
const typed = (words: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
  runProgram(join(installed, 'bin/mica'), ['-H', daemon.host, ...words], options)

before(async () => {
  daemon = await startDaemon({ folder: folder.path })
  await install()
})

after(async () => {
  await daemon.stop({ all: true })
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

/** As npm does with the package that `npm pack` makes, its dependencies beside it; its own script for afterwards too. */
async function install(): Promise<void> {
  await succeed('npm', ['pack', '--silent', '--pack-destination', folder.path], {
    cwd: PROJECT,
    env: { HOME: folder.path, npm_config_cache: folder.join('cache') },
  })
  mkdirSync(folder.join('node_modules'))
  const archive = readdirSync(folder.path).find((name) => name.endsWith('.tgz')) ?? 'no archive'
  await succeed('tar', ['-xzf', folder.join(archive), '-C', folder.join('node_modules')])
  renameSync(folder.join('node_modules/package'), installed)
  for (const name of readdirSync(join(PROJECT, 'node_modules')).filter((name) => /^(koffi|node-linux-.*)$/.test(name)))
    symlinkSync(realpathSync(join(PROJECT, 'node_modules', name)), folder.join('node_modules', name))
  assert.equal((await typed(['version'])).code, 0, 'before there is an image')
  assert.equal(existsSync(join(installed, 'dist/cli.image')), false)
  await succeed(process.execPath, [join(installed, 'scripts/image.mjs')])
  // Each start reads all of it: with the code of functions that no command has run it would be 4 MB.
  const { size } = statSync(join(installed, 'dist/cli.image'))
  assert.ok(size < 3_500_000, `an image of ${size} bytes`)
}

async function succeed(file: string, words: readonly string[], options: RunOptions = {}): Promise<void> {
  const { code, stdout, stderr } = await runProgram(file, words, options)
  assert.equal(code, 0, `${file} ${words.join(' ')}: ${stdout}${stderr}`)
}

test('the installed mica says what the sources say, for commands that the image has tried and for others', async () => {
  const sources = micaClient(daemon.host)
  for (const line of [
    'run -d --name one busybox sleep 1d',
    'run --rm nosuchimage:1',
    'exec one nosuch',
    'inspect nosuch',
    'ps -a --format {{.Names}}:{{.Image}}:{{.Labels}}',
    'images --format json',
    'version --format {{.Client.Version}}',
    'history --no-trunc busybox',
    'network ls --format {{.Name}}',
    'volume ls',
    'layers one',
    'rm -f one',
    '--help',
    'build --help',
    'nosuch',
    'completion bash',
    '__complete run --na',
  ]) {
    const words = line.split(' ')
    const own = await typed(words)
    // What the first has made or removed is not there for the second.
    if (line.startsWith('run -d') || line.startsWith('rm -f')) assert.equal(own.code, 0, own.stderr)
    else assert.deepEqual(own, await sources.run(words), line)
  }
})

test('input, exit statuses, bytes in both directions and builds go through the image', async () => {
  const bytes = 'x'.repeat(300_000)
  const piped = await typed(['run', '--rm', '-i', 'busybox', 'sh', '-c', 'cat; exit 7'], { input: bytes })
  assert.deepEqual([piped.code, piped.stdout.length], [7, bytes.length])
  mkdirSync(folder.join('context'))
  writeFileSync(folder.join('context/Dockerfile'), 'FROM busybox\nCOPY Dockerfile /\n')
  const built = await typed(['build', '-t', 'small', '.'], { cwd: folder.join('context') })
  assert.equal(built.code, 0, built.stderr)
  const script = `${installed}/bin/mica -H ${daemon.host} run --rm small sh -c 'yes | head -c 1000000' | head -n 1`
  assert.equal((await runProgram('sh', ['-c', script])).stdout, 'y\n')
})

test('the environment is that of each start', async () => {
  mkdirSync(folder.join('config'))
  writeFileSync(folder.join('config/config.json'), '{"psFormat":"mine {{.Names}}"}')
  assert.equal((await typed(['create', '--name', 'shown', 'busybox'])).code, 0)
  const { stdout } = await typed(['ps', '-a', '--filter', 'name=shown'], {
    env: { DOCKER_CONFIG: folder.join('config') },
  })
  assert.equal(stdout, 'mine shown\n')
  assert.equal((await typed(['rm', 'shown'])).stdout, 'shown\n')
})

test('an image older than its Node is left alone, and a source newer than the bundle is bundled first', async () => {
  utimesSync(join(installed, 'dist/cli.image'), 1, 1)
  writeFileSync(join(installed, 'dist/cli.js'), "process.stdout.write('without')\n")
  assert.equal((await typed(['version'])).stdout, 'without')
  mkdirSync(join(installed, 'src'))
  writeFileSync(join(installed, 'src/some.ts'), '')
  writeFileSync(join(installed, 'scripts/build.mjs'), "process.stderr.write('built ')\n")
  writeFileSync(join(installed, 'dist/sources.sh'), 'stale=\n')
  assert.equal((await typed(['version'])).stderr, '')
  writeFileSync(
    join(installed, 'dist/sources.sh'),
    '[ "$root/src/some.ts" -nt "$root/dist/bundle-id" ] && return\nstale=\n',
  )
  assert.equal((await typed(['version'])).stderr, 'built ')
})
